"""Fixtures that several parts of the tests share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Path]:
    """An empty directory, in memory where the machine has it: for tests of crashes, which are not about the disk."""
    made = Path(tempfile.mkdtemp(prefix="arena-", dir=_MEMORY if _MEMORY.is_dir() else tmp_path))
    yield made
    shutil.rmtree(made)

"""Where crash tests work: in memory where the machine has it, since nothing here is about the disk."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Path]:
    """An empty directory."""
    made = Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY if _MEMORY.is_dir() else tmp_path))
    yield made
    shutil.rmtree(made)

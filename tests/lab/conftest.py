"""Fixtures of the lab's own tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.lab import Lab


@pytest.fixture
def lab_directory(tmp_path: Path) -> Iterator[Path]:
    """Where a test may put a lab of its own, under the prefix 127.99.8; it is taken down afterwards whatever happened."""
    directory = tmp_path / "own"
    yield directory
    Lab(directory, prefix="127.99.8").down()

"""Fixtures for the tests of the kernel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.toys import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three bare hosts a, b, c, a journal and a store."""
    site = Site(tmp_path)
    yield site
    site.journal.close()

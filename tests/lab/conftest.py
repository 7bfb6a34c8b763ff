"""One lab for all tests of a session. Where it cannot run the tests that want it fail: they do not skip."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab

PREFIX = "127.99.7"
"""Loopback addresses of the tests' lab: another prefix than a user's lab has."""
NODES = (LabHost("h1", 101), LabHost("h2", 102))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab that is up, without hosts: `lab.up` adds those a test needs, and they stay for the next test."""
    lab = Lab(tmp_path_factory.mktemp("labs") / "lab", prefix=PREFIX)
    try:
        lab.up([])
        yield lab
    finally:
        lab.down()


@pytest.fixture
def nodes(lab: Lab) -> Iterator[Lab]:
    """The lab with two hosts that carry nothing but their base, `h1` and `h2`, as if no test had touched them."""
    lab.up(NODES)
    yield lab
    for host in NODES:
        lab.link(host.name, True)
    lab.reset(*(host.name for host in NODES))


@pytest.fixture
def lab_directory(tmp_path: Path) -> Iterator[Path]:
    """Where a test may put a lab of its own, under the prefix 127.99.8; it is taken down afterwards whatever happened."""
    directory = tmp_path / "own"
    yield directory
    Lab(directory, prefix="127.99.8").down()

"""One suite, two hosts: each case runs on the fake host, and, with the lab, on a real one."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.lab.lab import Lab
from tests.conftest import NODES, connect
from tests.fake import hosts
from tests.fake.host import FakeHost
from tests.fake.state import File

BOTH = (pytest.param("fake"), pytest.param("real", marks=pytest.mark.lab))
_numbers = itertools.count()


@pytest.fixture(params=BOTH)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """A host with nothing but its base."""
    if request.param == "fake":
        return hosts.place(hosts.bare("h1"), tmp_path)
    return request.getfixturevalue("real_host")  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def real_host(lab: Lab) -> Iterator[Host]:
    """A bare host of the lab, over SSH, for all cases of the suite: each has a place of its own on it."""
    lab.up(NODES)
    host = connect(lab, NODES[0].name)
    yield host
    host.close()


@pytest.fixture
def scratch(host: Host) -> Iterator[str]:
    """An empty directory on the host."""
    path = f"/srv/contract-{next(_numbers)}"
    host.run(("install", "-d", "-m", "0755", "--", path))
    yield path
    if not isinstance(host, FakeHost):  # a fake one ends with its test
        host.run(("rm", "-rf", "--", path))


@pytest.fixture
def job(host: Host) -> Iterator[str]:
    """A name for a job that no other test uses."""
    name = f"contract-{next(_numbers)}"
    yield name
    host.forget(name)


@pytest.fixture
def make_pipe(host: Host) -> Callable[[str], None]:
    """Makes a named pipe: what no step can capture."""

    def make(path: str) -> None:
        if isinstance(host, FakeHost):
            host.state.files[path] = File("named pipe")
        else:
            host.run(("mkfifo", "--", path))

    return make

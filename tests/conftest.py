"""Fixtures that several parts of the tests share.

There is one lab for all tests of a session, and of each of pytest-xdist's workers. Where it cannot run the tests that want it fail:
they do not skip.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab import machine, provision
from nornir_upgrade.lab.base import only_one
from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.rpm import provision as rpm_provision

# Tests assert no times: on a busy machine an example may take as long as it likes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Where a shell runs the tests in the background it has them ignore Ctrl-C, and all that they start would as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_MEMORY = Path("/dev/shm")
_SAID, _ON_THE_LAB = "said", "on the lab"

Say = Callable[[str], None]
"""Tells something that is printed when all tests are over, whichever process ran the test."""


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Say:
    """For figures that the tests owe to whoever runs them."""
    return lambda text: record_property(_SAID, text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the lab are counted."""
    for item in items:
        if item.get_closest_marker("lab"):
            item.user_properties.append((_ON_THE_LAB, item.nodeid))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests said, and how many of those that passed or failed ran on the lab."""
    ran = [
        report
        for word in ("passed", "failed")
        for report in terminalreporter.stats.get(word, [])
        if report.when == "call"
    ]
    properties = [one for report in ran for one in report.user_properties]
    for text in (text for name, text in properties if name == _SAID):
        terminalreporter.write_line(str(text))
    terminalreporter.write_line(f"tests on real hosts that ran: {sum(one == _ON_THE_LAB for one, _ in properties)}")


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Path]:
    """An empty directory, in memory where the machine has it: for tests of crashes, which are not about the disk."""
    made = Path(tempfile.mkdtemp(prefix="arena-", dir=_MEMORY if _MEMORY.is_dir() else tmp_path))
    yield made
    shutil.rmtree(made)


# ---------------------------------------------------------------------- the lab


def _this_workers(prefix: str) -> str:
    """The prefix for this one of pytest-xdist's workers: 127.99.7, 127.98.7, …; for a session without workers as it is."""
    first, second, third = prefix.split(".")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{first}.{int(second) - int(worker)}.{third}"


PREFIX = _this_workers(os.environ.get("TEST_LAB_PREFIX", "127.99.7"))
"""Loopback addresses of the tests' lab: another prefix than a user's lab has; name one to run two sessions at once."""
OWN = _this_workers(os.environ.get("TEST_LAB_OWN_PREFIX", "127.99.6"))
"""Those of the labs that tests of the lab itself take up and down."""
_HOSTS = 15
"""As many as all labs of one worker have at a time: what the machine must allow is for all workers together."""
NODES = (LabHost("h1", 101), LabHost("h2", 102))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab that is up, without hosts: `lab.up` adds those a test needs, and they stay for the next test.

    Its place is always the same, so that what a killed session left there is found, and taken down first.
    """
    lab = Lab(Path(tempfile.gettempdir()) / f"nornir-upgrade-tests-{PREFIX}", prefix=PREFIX)
    lab.down()
    machine.check(_HOSTS * int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
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


@pytest.fixture(scope="session")
def fleet(lab: Lab) -> Lab:
    """The lab with the fleet of the example inventory, running Havana. Who changes it resets it."""
    with only_one(lab.cache / "tests"):  # the first worker provisions, the others start from what it kept
        provision.up(lab)
    return lab


@pytest.fixture(scope="session")
def rpm_fleet(lab: Lab) -> Lab:
    """The lab with the RPM hosts of the example inventory, running Havana. Who changes them resets them."""
    with only_one(lab.cache / "tests"):
        rpm_provision.up(lab)
    return lab


def connect(lab: Lab, name: str) -> SshHost:
    """A member of the lab, over SSH, as root."""
    (status,) = (one for one in lab.status() if one.name == name)
    extras = {
        "use_keys": True,
        "key_file": str(lab.key),
        "allow_agent": False,
        "alt_host_keys": True,
        "alt_key_file": str(lab.known_hosts),
    }
    return SshHost(name, status.address, username="root", port=status.port, extras=extras)

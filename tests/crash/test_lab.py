"""F01 on real hosts: the compact plan's controller killed with SIGKILL, then resumed and undone, then unwound.

`make test` takes a spread of ten boundaries, of a plan without the wave that touches nothing; `make soak` all of them. What a host is
must be all the same to the byte: facts, rows of databases, and every file that the plan has to do with.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab.lab import Lab
from tests.conftest import Say, connect
from tests.crash import compact
from tests.crash.harness import Boundary, Tally, boundaries
from tests.fake.state import OURS

CONTROL, COMPUTE = "ctl1", "cmp1"
SPREAD = 10
_ROOTS = ("/etc/keystone", "/etc/nova", compact.NOTES, "/etc/apt", "/usr/sbin/policy-rc.d", OURS)
_ROOT = Path(__file__).parents[2]
_LIMIT = 600.0  # seconds for one controller

Act = Literal["forward", "resume", "unwind"]
State = dict[str, dict[str, HostFacts | FileState]]


@dataclass(frozen=True, slots=True)
class Site:
    """Two hosts of the lab, and the directory of those who control them."""

    directory: Path
    hosts: tuple[SshHost, SshHost]

    def act(self, act: Act, boundary: Boundary | None = None) -> int:
        """A controller does `act`, and is killed at the boundary; returns how it ended."""
        at = [str(boundary.number), boundary.moment] if boundary else []
        command = [sys.executable, "-m", "tests.crash.controller", str(self.directory), act, *at]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, check=False, timeout=_LIMIT)
        assert done.returncode in (0, -9), done.stderr.decode()
        return done.returncode

    def killed(self, boundary: Boundary) -> None:
        """A fresh run, killed at the boundary."""
        for path in self.directory.glob("journal.*"):
            path.unlink()
        assert self.act("forward", boundary) == -9, f"{boundary} was not reached"

    def state(self) -> State:
        """What is true of both hosts."""
        databases = ((compact.DATABASE, *self._scratch()), ())
        return {
            host.name: {
                "facts": _settled(gather(host, names)),
                **{state.path: state for state in host.tree(_ROOTS) if not _is_ours(state)},
            }
            for host, names in zip(self.hosts, databases, strict=True)
        }

    def _scratch(self) -> tuple[str, ...]:
        text = self.hosts[0].run(("mariadb", "--batch", "--skip-column-names", "--execute=SHOW DATABASES")).text
        return tuple({compact.SCRATCH} & set(text.split()))

    def events(self) -> int:
        """How many events the last run has."""
        journal = Journal(self.directory / "journal.db")
        try:
            return len(journal.run("last").events)
        finally:
            journal.close()


@pytest.fixture
def site(fleet: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The lab's controller and a compute node as they were provisioned, with a scratch database besides."""
    whole = request.node.get_closest_marker("soak") is not None
    fleet.reset(CONTROL, COMPUTE)
    fleet.run(CONTROL, ["mariadb"], _SCRATCH.encode())
    (tmp_path / "config.yaml").write_text(_CONFIG)
    (tmp_path / "hosts.yaml").write_text("".join(_entry(fleet, name) for name in (CONTROL, COMPUTE)))
    hosts = (connect(fleet, CONTROL), connect(fleet, COMPUTE))
    plan = compact.plan(*hosts, Store(tmp_path / "store"), beforehand=whole)
    (tmp_path / "plan.json").write_text(codec.dumps(plan))
    yield Site(tmp_path, hosts)
    for host in hosts:
        host.close()
    fleet.reset(CONTROL, COMPUTE)


_CONFIG = "inventory: {plugin: SimpleInventory}\nrunner: {plugin: threaded}\nlogging: {enabled: false}\n"
_SCRATCH = f"CREATE DATABASE {compact.SCRATCH}; CREATE TABLE {compact.SCRATCH}.t (id INT PRIMARY KEY, b BLOB); " + (
    f"INSERT INTO {compact.SCRATCH}.t VALUES (1, x'00ff27'), (2, NULL);"
)


def _settled(facts: HostFacts) -> HostFacts:
    """Without the time, and without conffiles that are gone and that dpkg goes on to call obsolete until the next unpacking."""
    there = tuple(one for one in facts.conffiles if one.digest or not one.obsolete)
    return replace(facts, taken_at="", conffiles=there)


def _is_ours(state: FileState) -> bool:
    """The directories where jobs and dumps are kept stay; what is in them does not."""
    return state.kind == "directory" and state.path.startswith(OURS)


def _entry(lab: Lab, name: str) -> str:
    """The inventory's entry of a member of the lab."""
    (status,) = (one for one in lab.status() if one.name == name)
    extras = (
        f"{{use_keys: true, key_file: '{lab.key}', ssh_strict: true, system_host_keys: false, "
        f"alt_host_keys: true, alt_key_file: '{lab.known_hosts}'}}"
    )
    return (
        f"{name}:\n  hostname: {status.address}\n  port: {status.port}\n  username: root\n"
        f"  connection_options: {{netmiko: {{platform: linux, extras: {extras}}}}}\n"
    )


@pytest.mark.lab
def test_a_spread_of_boundaries(site: Site, say: Say) -> None:
    gone_through(site, say, SPREAD)


@pytest.mark.lab
@pytest.mark.soak
def test_every_boundary(site: Site, say: Say) -> None:
    gone_through(site, say, 0)


def gone_through(site: Site, say: Say, spread: int) -> None:
    """Kill at every boundary, or at `spread` of them; each time resume and undo, and then unwind a second wreck."""
    start = site.state()
    assert site.act("forward") == 0
    end, events = site.state(), site.events()
    assert site.act("unwind") == 0
    tally = Tally()
    tally.count("uncrashed", "undone", site.state(), start)
    assert not tally.strange, tally.strange
    every = boundaries(events)
    for boundary in spread_of(every, spread) if spread else every:
        site.killed(boundary)
        assert site.act("resume") == 0
        tally.count(boundary, "resumed", site.state(), end)
        assert site.act("unwind") == 0
        tally.count(boundary, "resumed and undone", site.state(), start)
        site.killed(boundary)
        assert site.act("unwind") == 0
        tally.count(boundary, "unwound", site.state(), start)
        assert not tally.strange, tally.strange  # what comes after would begin from another start
    taken = min(spread or len(every), len(every))
    say(
        f"killed on real hosts: {taken} of {len(every)} boundaries, {tally.endings} endings, {len(tally.strange)} third states"
    )
    assert not tally.strange, tally.strange


def spread_of(every: list[Boundary], count: int) -> list[Boundary]:
    """The first, the last, and as many between them, evenly."""
    return [every[round(number * (len(every) - 1) / (count - 1))] for number in range(count)]

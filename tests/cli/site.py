"""A controller's directory with fake hosts behind the real command line, in this process or in one of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from click.testing import CliRunner, Result

from nornir_upgrade.config.settings import Settings
from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import Unreachable
from nornir_upgrade.core.facts.gather import package_digest
from nornir_upgrade.core.inventory.fleet import FleetHost
from nornir_upgrade.core.inventory.limit import chosen
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from tests.fake import hosts, state
from tests.fake.fleet import open_fleet

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
GROUPS = {
    "ctl1": ("control", "db"),
    "net1": ("network",),
    "cmp1": ("compute",),
    "cmp2": ("compute",),
}
BARE = tuple(hosts.bare(name) for name in "abc")


@dataclass(frozen=True, slots=True)
class Pause(Step, kind="test_pause"):
    """`seconds` have passed. The file `marker` of this machine says that they have begun to."""

    marker: str
    seconds: float
    kind: Literal["test_pause"] = "test_pause"

    def observe(self, host: Host, store: Store) -> None:
        """Time that has passed has no way back."""

    def apply(self, host: Host, store: Store) -> None:
        Path(self.marker).touch()
        time.sleep(self.seconds)

    def describe(self) -> str:
        return f"{self.seconds} seconds have passed"


class ShownFleet:
    """As `core.fleet.NornirFleet`, as far as the command line knows it. A host with a file NAME.gone does not answer."""

    def __init__(self, directory: Path, limit: str = "") -> None:
        self._directory = directory
        self._fleet = open_fleet(directory)
        groups = {name: GROUPS.get(name, ()) for name in self._fleet.hosts}
        self.inventory = tuple(FleetHost(name, own, {}) for name, own in groups.items())
        inside = chosen(limit, groups, sorted({group for own in groups.values() for group in own}))
        self.hosts = tuple(host for host in self.inventory if host.name in inside)
        self.names = tuple(host.name for host in self.hosts)

    def each(self, names: Sequence[str], act: Callable[[Host], T]) -> Mapping[str, T | Exception]:
        gone = {name for name in names if (self._directory / f"{name}.gone").exists()}
        found = self._fleet.each([name for name in names if name not in gone], act)
        return {name: Unreachable(f"{name}: no route") if name in gone else found[name] for name in names}

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def loaded(settings: Settings, limit: str, _workers: int) -> Iterator[ShownFleet]:
    """In place of `controller._loaded`: the fleet whose files lie in `hosts` beside config.yaml."""
    yield ShownFleet(settings.config.parent / "hosts", limit)


def stand_in() -> None:
    """Afterwards the command line of this process works on fake hosts."""
    from nornir_upgrade.runner import session

    session._loaded = loaded  # type: ignore[assignment]


class Site:
    """A directory with config.yaml, hosts (bare ones: a, b, c), and the command line run in it."""

    def __init__(self, directory: Path, fleet: Iterable[state.HostState] = BARE) -> None:
        self.directory = directory
        self.config = directory / "config.yaml"
        self.config.write_text("user_defined:\n  state: .state\n  keep: none\n")
        (directory / "hosts").mkdir()
        for made in fleet:
            hosts.place(made, directory / "hosts")

    def write(self, plan: Plan, name: str = "plan.json") -> str:
        """Afterwards `plan` is saved under `name`, which is returned."""
        (self.directory / name).write_text(codec.dumps(plan))
        return name

    def digest(self, host: str) -> str:
        """The digest of a host's packages."""
        return package_digest(open_fleet(self.directory / "hosts").hosts[host])

    def notes(self, host: str) -> dict[str, str]:
        """The files that notes made on a host."""
        files = open_fleet(self.directory / "hosts").hosts[host].state.files
        return {path: file.data.decode() for path, file in files.items() if file.kind == "file"}

    def place(self, host: str, path: str, data: bytes) -> None:
        """Afterwards a file stands on the host."""
        found = open_fleet(self.directory / "hosts").hosts[host]
        found.write(path, data)
        found.save()

    def gone(self, host: str, gone: bool = True) -> None:
        """Afterwards the host does not answer, or answers again."""
        marker = self.directory / "hosts" / f"{host}.gone"
        marker.touch() if gone else marker.unlink()

    def journal(self) -> Journal:
        """The journal, to be read."""
        return Journal(self.directory / ".state" / "journal.db")

    def call(self, *argv: str, **more: Any) -> Result:
        """The command line in this process; standard input is no terminal."""
        from nornir_upgrade.cli.main import app

        return CliRunner().invoke(app, argv, prog_name="nornir-upgrade", **more)

    def json(self, *argv: str, code: int = 0) -> Any:
        """What the command line prints with `-o json`; its exit code must be `code`."""
        result = self.call(*argv, "-o", "json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def start(self, *argv: str, **more: Any) -> subprocess.Popen[str]:
        """The command line in a process of its own."""
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.cli.driver", *argv],
            cwd=self.directory,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )

    def wait_for(self, name: str, seconds: float = 20.0) -> None:
        """Returns when the file `name` is there."""
        until = time.monotonic() + seconds
        while not (self.directory / name).exists():
            assert time.monotonic() < until, f"{name} did not appear"
            time.sleep(0.02)

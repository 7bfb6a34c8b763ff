"""A controller's directory with fake hosts behind the real command line, in this process or in one of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from click.testing import CliRunner, Result

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import Unreachable
from nornir_upgrade.core.facts import HostFacts, OperatingSystem
from nornir_upgrade.core.host import Host
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packages import Package, digest_of_packages
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.settings import Settings
from tests.fake import hosts, state
from tests.fake.fleet import FakeFleet, open_fleet

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Pause(Step, kind="test_pause"):
    """`seconds` have passed. The file `marker` of this machine says that they have begun to."""

    marker: str
    seconds: float
    kind: Literal["test_pause"] = "test_pause"

    def observe(self, host: Host, store: Store) -> Step:
        return self

    def apply(self, host: Host, store: Store) -> None:
        Path(self.marker).touch()
        time.sleep(self.seconds)

    def describe(self) -> str:
        return f"{self.seconds} seconds have passed"


class ShownFleet(FakeFleet):
    """As `core.fleet.NornirFleet`, as far as the command line knows it. A host with a file NAME.gone does not answer."""

    directory: Path

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.hosts)

    def each(self, names: Sequence[str], act: Callable[[Host], T]) -> Mapping[str, T | Exception]:
        gone = {name for name in names if (self.directory / f"{name}.gone").exists()}
        found = super().each([name for name in names if name not in gone], act)
        return {name: Unreachable(f"{name}: no route") if name in gone else found[name] for name in names}

    def close(self) -> None:
        """Nothing is open."""


def facts_of(host: Host, _databases: Sequence[str] = ()) -> HostFacts:
    """A host's packages, and little else."""
    found = state.load(Path(host.path)).packages  # type: ignore[attr-defined]
    packages = tuple(
        Package(name, "all", one.version, "installed", "install", one.auto) for name, one in sorted(found.items())
    )
    system = OperatingSystem("debian", "12", "bookworm", "deb", "amd64", "6.1", "0")
    return HostFacts(host.name, "2026-01-01T00:00:00+00:00", system, packages, (), (), (), ())


@contextmanager
def loaded(chosen: Settings, _limit: str, _workers: int) -> Iterator[ShownFleet]:
    """In place of `controller._loaded`: the fleet whose files lie in `hosts` beside config.yaml."""
    directory = chosen.config.parent / "hosts"
    fleet = ShownFleet(open_fleet(directory).hosts.values())
    fleet.directory = directory
    yield fleet


def stand_in() -> None:
    """Afterwards the command line of this process works on fake hosts."""
    from nornir_upgrade import controller, execution

    controller._loaded = loaded  # type: ignore[assignment]
    controller.gather = facts_of  # type: ignore[attr-defined, assignment]
    execution.package_digest = lambda host: digest_of_packages(facts_of(host).packages)  # type: ignore[attr-defined]


class Site:
    """A directory with config.yaml, hosts a, b, c, and the command line run in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "config.yaml"
        self.config.write_text("user_defined:\n  state: .state\n")
        (directory / "hosts").mkdir()
        for name in "abc":
            hosts.place(hosts.bare(name), directory / "hosts")

    def write(self, plan: Plan, name: str = "plan.json") -> str:
        """Afterwards `plan` is saved under `name`, which is returned."""
        (self.directory / name).write_text(codec.dumps(plan))
        return name

    def digest(self, host: str) -> str:
        """The digest of a host's packages."""
        return digest_of_packages(facts_of(open_fleet(self.directory / "hosts").hosts[host]).packages)

    def notes(self, host: str) -> dict[str, str]:
        """The files that notes made on a host."""
        files = open_fleet(self.directory / "hosts").hosts[host].state.files
        return {path: file.data.decode() for path, file in files.items() if file.kind == "file"}

    def gone(self, host: str, gone: bool = True) -> None:
        """Afterwards the host does not answer, or answers again."""
        marker = self.directory / "hosts" / f"{host}.gone"
        marker.touch() if gone else marker.unlink()

    def journal(self) -> Journal:
        """The journal, to be read."""
        return Journal(self.directory / ".state" / "journal.db")

    def call(self, *argv: str, **more: Any) -> Result:
        """The command line in this process; standard input is no terminal."""
        from nornir_upgrade.cli import door

        return CliRunner().invoke(door, argv, prog_name="nornir-upgrade", **more)

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

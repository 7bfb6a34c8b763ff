"""Steps for the tests of the kernel: small enough that what is tested is the kernel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nornir_upgrade.core.engine import Outcome, Policy, execute
from nornir_upgrade.core.errors import GateFailed, StateDiffers
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host
from tests.fake import hosts
from tests.fake.fleet import FakeFleet
from tests.fake.programs import APPEND


@dataclass(frozen=True, slots=True)
class Note(Step, kind="test_note"):
    """The file at `path` holds `text`; `None`: there is none. `no_way_back` makes it a point of no return."""

    path: str
    text: str | None
    covered: str = ""
    no_way_back: str = ""
    kind: Literal["test_note"] = "test_note"

    def observe(self, host: Host, store: Store) -> Step | None:
        if self.no_way_back or self.covered:
            return None
        data = host.read_many((self.path,)).get(self.path)
        return Note(self.path, None if data is None else data.decode())

    def apply(self, host: Host, store: Store) -> None:
        if self.text == "refused":
            raise StateDiffers(f"{host.name}: refused")
        if self.text is None:
            host.place(FileState(self.path, "absent"))
        else:
            host.write(self.path, self.text.encode())

    def describe(self) -> str:
        return f"{self.path} holds {self.text}"

    @property
    def covered_by(self) -> str:
        return self.covered

    @property
    def point_of_no_return(self) -> str:
        return self.no_way_back


@dataclass(frozen=True, slots=True)
class Trace(Step, kind="test_job"):
    """A job left its trace at `path`, and `needed` stood there afterwards."""

    path: str
    needed: str
    kind: Literal["test_job"] = "test_job"

    def observe(self, host: Host, store: Store) -> None:
        return None

    def apply(self, host: Host, store: Store) -> None:
        host.job("work", (("sh", "-c", APPEND, "sh", self.path, "x"),))
        if host.stat((self.needed,))[0].kind == "absent":
            raise StateDiffers(f"{host.name}: {self.needed} is not there")

    def describe(self) -> str:
        return f"a trace at {self.path}"


@dataclass(frozen=True, slots=True)
class Keep(Step, kind="test_keep"):
    """A capture: what stands at `path` can be had back under `name`."""

    path: str
    name: str
    kind: Literal["test_keep"] = "test_keep"

    def observe(self, host: Host, store: Store) -> Step:
        return Note(self.path, host.read(self.path).decode())

    def apply(self, host: Host, store: Store) -> None:
        """Nothing: the work was done when it was observed."""

    def describe(self) -> str:
        return f"keep {self.path}"

    @property
    def capture(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Exists(Step, kind="test_exists"):
    """A gate: something stands at `path`."""

    path: str
    kind: Literal["test_exists"] = "test_exists"

    def observe(self, host: Host, store: Store) -> None:
        return None

    def apply(self, host: Host, store: Store) -> None:
        if host.stat((self.path,))[0].kind == "absent":
            raise GateFailed(f"{host.name}: nothing at {self.path}")

    def describe(self) -> str:
        return f"{self.path} exists"


def plan_of(*waves: dict[str, list[Step]], gates: dict[str, list[Step]] | None = None) -> Plan:
    """A forward plan; `gates` stand behind every wave."""
    after = tuple(Work(host, tuple(steps)) for host, steps in (gates or {}).items())
    return Plan(
        "forward",
        "toy",
        tuple(
            Wave(f"wave {number}", tuple(Work(host, tuple(steps)) for host, steps in wave.items()), after)
            for number, wave in enumerate(waves)
        ),
    )


class Site:
    """A controller's directory with a fleet of bare fake hosts: what a test of the engine needs."""

    def __init__(self, directory: Path, names: str = "abc", *, workers: int = 4) -> None:
        self.directory = directory
        self.fleet = FakeFleet((hosts.place(hosts.bare(name), directory) for name in names), workers=workers)
        self.journal = Journal(directory / "journal.db")
        self.store = Store(directory / "store")

    def open(self, plan: Plan, **fields: str) -> Run:
        return self.journal.open_run(plan, **fields)

    def execute(self, run: Run, policy: Policy | None = None) -> Outcome:
        """Go on with the run, as the journal has it now."""
        return execute(
            self.journal.run(run.id), self.fleet, self.journal, self.store, policy or Policy(), lambda host: host.name
        )

    def said(self, run: Run) -> list[tuple[str, str]]:
        """(what, host) of every event."""
        return [(event.what, event.host) for event in self.journal.run(run.id).events]

    def notes(self, host: str) -> dict[str, str]:
        """The files that notes made on a host."""
        files = self.fleet.hosts[host].state.files
        return {path: file.data.decode() for path, file in files.items() if file.kind == "file"}

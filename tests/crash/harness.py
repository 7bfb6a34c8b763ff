"""Kill a controller with SIGKILL at one journal event, and look at what a second controller makes of the remains.

Everything that outlives a controller is files in one directory: the hosts' states, the journal, the store. A controller is a
forked child; what it leaves is copied, so that it can be both resumed and unwound.
"""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from nornir_upgrade.core import journal as journals
from nornir_upgrade.core.engine import Fleet, Outcome, Policy, execute
from nornir_upgrade.core.facts.gather import package_digest
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import Event, Run, unwind
from nornir_upgrade.core.store import Store
from tests.fake.fleet import FakeFleet, open_fleet
from tests.fake.state import HostState

Moment = Literal["before", "after"]
Act = Callable[["Controller"], Outcome]


@dataclass(frozen=True, slots=True)
class Boundary:
    """The `number`th append to the journal, counted from 1: just before it, or when it is durable."""

    number: int
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment} event {self.number}"


@dataclass(slots=True)
class Tally:
    """What became of all boundaries."""

    endings: int = 0
    strange: list[str] = field(default_factory=list)

    def count(self, boundary: object, way: str, found: object, wanted: object) -> None:
        self.endings += 1
        if found != wanted:
            self.strange.append(f"{boundary}, {way}: {difference(found, wanted)}")


class Controller:
    """One controller at work on a fleet."""

    def __init__(self, fleet: Fleet, journal: Journal, store: Store) -> None:
        self.fleet = fleet
        self.journal = journal
        self.store = store

    def forward(self, plan: Plan) -> Outcome:
        return self.carry_out(self.journal.open_run(plan))

    def resume(self) -> Outcome:
        return self.carry_out(self.journal.run("last"))

    def unwind(self) -> Outcome:
        """Undo the run, or go on with undoing it."""
        run = self.journal.run("last")
        if run.plan.direction == "unwind":
            back, run = run, self.journal.run(run.parent)
        else:
            back = self.journal.open_run(unwind(run), parent=run.id)
        outcome = self.carry_out(back)
        if outcome.succeeded:
            self.journal.append(run.id, "run_undone", text=back.id)
        return outcome

    def carry_out(self, run: Run) -> Outcome:
        return execute(run, self.fleet, self.journal, self.store, Policy(max_fail=0), package_digest)


class FakeController(Controller):
    """A controller of the fake hosts that are kept in `directory`."""

    fleet: FakeFleet

    def __init__(self, directory: Path, journal: Journal, store: Store, workers: int) -> None:
        super().__init__(open_fleet(directory, workers=workers), journal, store)

    def observable(self) -> dict[str, HostState]:
        return self.fleet.observable()


@contextmanager
def controller(directory: Path, *, store: Path, workers: int = 0) -> Iterator[FakeController]:
    """A controller that owns the journal in `directory`."""
    with journals.owned(directory / "journal.db", "test") as journal:
        yield FakeController(directory, journal, Store(store), workers)


def killed(directory: Path, act: Act, boundary: Boundary, *, store: Path, workers: int = 0) -> None:
    """A child does `act` in `directory` and is killed at the boundary. Raises `AssertionError` where it got past it."""
    child = os.fork()
    if child == 0:
        try:
            with controller(directory, store=store, workers=workers) as mine:
                mine.journal.append = killing(mine.journal.append, boundary)  # type: ignore[method-assign]
                act(mine)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"{boundary} was not reached"


def killing(append: Callable[..., Event], boundary: Boundary) -> Callable[..., Event]:
    """`append`, which kills this process at the boundary."""
    lock, count = threading.Lock(), 0

    def wrapped(*args: Any, **fields: Any) -> Event:
        nonlocal count
        with lock:
            count += 1
            mine = count == boundary.number
        if mine and boundary.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        event = append(*args, **fields)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return event

    return wrapped


def boundaries(events: int) -> list[Boundary]:
    """Both moments of each event."""
    return [Boundary(number, moment) for number in range(1, events + 1) for moment in ("before", "after")]


def copy(directory: Path, to: Path) -> Path:
    """What a controller left, a second time."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(directory, to, ignore=shutil.ignore_patterns("store"))
    return to


def after(directory: Path, act: Act, *, store: Path, workers: int = 0) -> dict[str, HostState]:
    """What the hosts are after a new controller did `act` there. Raises `AssertionError` where it did not succeed."""
    with controller(directory, store=store, workers=workers) as mine:
        outcome = act(mine)
        assert outcome.succeeded, outcome.failed
        return mine.observable()


def difference(found: object, wanted: object) -> str:
    """The first place where two values of the same shape differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in sorted({*found, *wanted}, key=str):
            if found.get(key) != wanted.get(key):
                return f"{key}: {difference(found.get(key), wanted.get(key))}"
    if isinstance(found, HostState) and isinstance(wanted, HostState):
        return difference({f: getattr(found, f) for f in found.__struct_fields__},
                          {f: getattr(wanted, f) for f in wanted.__struct_fields__})  # fmt: skip
    if isinstance(found, tuple) and isinstance(wanted, tuple) and not hasattr(found, "_fields"):
        return f"{set(found) - set(wanted)} instead of {set(wanted) - set(found)}"
    if is_dataclass(found) and type(found) is type(wanted):
        return difference({one.name: getattr(found, one.name) for one in fields(found)},
                          {one.name: getattr(wanted, one.name) for one in fields(found)})  # fmt: skip
    return f"{found!r} instead of {wanted!r}"

"""F01, F04: a controller killed at every event of its journal, on fake hosts; nothing is sampled."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.store import Store
from tests.fake import hosts

from . import compact
from .harness import Controller, Tally, after, boundaries, controller, copy, killed

Build = Callable[[Path], Plan]


def compact_case(start: Path) -> Plan:
    """The compact plan on two fake hosts."""
    control = hosts.havana("h1", compact.CONTROL_PACKAGES, (compact.DATABASE,))
    control.databases[compact.SCRATCH] = hosts.seeded(compact.SCRATCH)
    for state in (control, hosts.havana("h2", compact.COMPUTE_PACKAGES)):
        hosts.place(state, start)
    return compact.plan("h1", "h2", Store(start / "store"))


CASES = [pytest.param(compact_case, id="compact")]


@pytest.mark.parametrize("build", CASES)
def test_killed_at_every_event_then_resumed_and_then_unwound(
    build: Build, arena: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = arena / "start"
    start.mkdir()
    plan, store = build(start), start / "store"
    with controller(start, store=store) as mine:  # the journal's tables are made once, and copied
        beginning = mine.fleet.observable()
    end, events = uncrashed(plan, start, arena / "whole")
    assert end != beginning
    tally = Tally()
    for boundary in boundaries(events):
        wreck = copy(start, arena / "wreck")
        killed(wreck, lambda mine: mine.forward(plan), boundary, store=store)
        tally.count(boundary, "resumed", after(copy(wreck, arena / "a"), Controller.resume, store=store), end)
        tally.count(boundary, "unwound", after(copy(wreck, arena / "b"), Controller.unwind, store=store), beginning)
    report(capsys, "forward, then resumed and then unwound", events, tally)


@pytest.mark.parametrize("build", CASES)
def test_an_unwind_killed_at_every_event_is_resumed_to_the_start(
    build: Build, arena: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = arena / "start"
    start.mkdir()
    plan, store = build(start), start / "store"
    with controller(start, store=store) as mine:
        beginning = mine.fleet.observable()
        mine.forward(plan)
    whole = copy(start, arena / "whole")
    assert after(whole, Controller.unwind, store=store) == beginning
    with controller(whole, store=store) as mine:
        events = len(mine.journal.run("last").events)
    tally = Tally()
    for boundary in boundaries(events):
        wreck = copy(start, arena / "wreck")
        killed(wreck, Controller.unwind, boundary, store=store)
        tally.count(boundary, "unwound", after(wreck, Controller.unwind, store=store), beginning)
    report(capsys, "back, then resumed", events, tally)


def uncrashed(plan: Plan, start: Path, directory: Path) -> tuple[object, int]:
    """The end that nobody disturbed, and how many events led there."""
    with controller(copy(start, directory), store=start / "store") as mine:
        outcome = mine.forward(plan)
        assert outcome.succeeded, outcome.failed
        return mine.fleet.observable(), len(mine.journal.run("last").events)


def report(capsys: pytest.CaptureFixture[str], what: str, events: int, tally: Tally) -> None:
    """Say how many boundaries there were, and fail where one led to a third state."""
    with capsys.disabled():
        print(
            f"\nkilled on the way {what}: {2 * events} boundaries ({events} events, before and after each), "
            f"{tally.endings} endings, {len(tally.strange)} third states"
        )
    assert tally.strange == []

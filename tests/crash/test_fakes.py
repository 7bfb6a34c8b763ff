"""F01, F04: a controller killed at every event of its journal, on fake hosts; nothing is sampled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nornir_upgrade.core.facts.gather import gather
from nornir_upgrade.core.packaging.preview import preview
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.store import Store
from nornir_upgrade.planner import upgrade
from nornir_upgrade.scenario import loader
from tests.conftest import Say
from tests.crash import compact
from tests.crash.harness import Controller, Tally, after, boundaries, controller, copy, killed
from tests.fake import hosts

pytestmark = pytest.mark.crash

Build = Callable[[Path], Plan]


def compact_case(start: Path, *, together: bool = False) -> Plan:
    """The compact plan on two fake hosts."""
    control = hosts.havana("h1", compact.CONTROL_PACKAGES, (compact.DATABASE,))
    control.databases[compact.SCRATCH] = hosts.seeded(compact.SCRATCH)
    made = (control, hosts.havana("h2", compact.COMPUTE_PACKAGES))
    first, second = (hosts.place(state, start) for state in made)
    return compact.plan(first, second, Store(start / "store"), together=together)


def compact_together(start: Path) -> Plan:
    """The compact plan, both hosts at work at the same time."""
    return compact_case(start, together=True)


@dataclass(frozen=True, slots=True)
class Inventoried:
    """A host of the example inventory, as planners want it."""

    name: str
    groups: tuple[str, ...]
    data: Mapping[str, object] = field(default_factory=dict)


MEMBERS = (
    Inventoried("ctl1", ("control", "db")),
    Inventoried("net1", ("network",)),
    Inventoried("cmp1", ("compute",)),
    Inventoried("cmp2", ("compute",)),
)


def scenario_case(start: Path) -> Plan:
    """The whole of service-by-service, on the four hosts of the example inventory, planned as a user's run is."""
    fakes = {state.name: hosts.place(state, start) for state in hosts.fleet()}
    scenario = loader.load("service-by-service")
    facts = {name: gather(host) for name, host in fakes.items()}
    requests = upgrade.requests(scenario, MEMBERS, facts)
    previews = {name: preview(fakes[name], one.repositories, one.packages) for name, one in requests.items()}
    plan = upgrade.plan_upgrade(scenario, MEMBERS, facts, previews)
    assert not plan.points_of_no_return
    return plan


# (plan, threads of the controller that is killed)
CASES = [
    pytest.param(compact_case, 0, id="compact"),
    pytest.param(compact_together, 4, id="compact, both hosts at once"),
    pytest.param(scenario_case, 0, id="service-by-service"),
]


@pytest.mark.parametrize(("build", "workers"), CASES)
def test_killed_at_every_event_then_resumed_and_then_unwound(build: Build, workers: int, arena: Path, say: Say) -> None:
    start = arena / "start"
    start.mkdir()
    plan, store = build(start), start / "store"
    with controller(start, store=store) as mine:  # the journal's tables are made once, and copied
        beginning = mine.observable()
    end, events = uncrashed(plan, start, arena / "whole")
    assert end != beginning
    tally = Tally()
    for boundary in boundaries(events):
        wreck = copy(start, arena / "wreck")
        killed(wreck, lambda mine: mine.forward(plan), boundary, store=store, workers=workers)
        resumed = copy(wreck, arena / "a")
        tally.count(boundary, "resumed", after(resumed, Controller.resume, store=store), end)
        tally.count(boundary, "resumed and undone", after(resumed, Controller.unwind, store=store), beginning)
        tally.count(boundary, "unwound", after(copy(wreck, arena / "b"), Controller.unwind, store=store), beginning)
    report(say, "forward, then once resumed and undone, once unwound", events, tally)


@pytest.mark.parametrize(("build", "workers"), CASES)
def test_an_unwind_killed_at_every_event_is_resumed_to_the_start(
    build: Build, workers: int, arena: Path, say: Say
) -> None:
    start = arena / "start"
    start.mkdir()
    plan, store = build(start), start / "store"
    with controller(start, store=store) as mine:
        beginning = mine.observable()
        mine.forward(plan)
    whole = copy(start, arena / "whole")
    assert after(whole, Controller.unwind, store=store) == beginning
    with controller(whole, store=store) as mine:
        events = len(mine.journal.run("last").events)
    tally = Tally()
    for boundary in boundaries(events):
        wreck = copy(start, arena / "wreck")
        killed(wreck, Controller.unwind, boundary, store=store, workers=workers)
        tally.count(boundary, "unwound", after(wreck, Controller.unwind, store=store), beginning)
    report(say, "back, then resumed", events, tally)


def uncrashed(plan: Plan, start: Path, directory: Path) -> tuple[object, int]:
    """The end that nobody disturbed, and how many events led there."""
    with controller(copy(start, directory), store=start / "store") as mine:
        outcome = mine.forward(plan)
        assert outcome.succeeded, outcome.failed
        return mine.observable(), len(mine.journal.run("last").events)


def report(say: Say, what: str, events: int, tally: Tally) -> None:
    """Say how many boundaries there were, and fail where one led to a third state."""
    say(
        f"killed on the way {what}: {2 * events} boundaries ({events} events, before and after each), "
        f"{tally.endings} endings, {len(tally.strange)} third states"
    )
    assert tally.strange == []

"""Checking: all that stands in the way of a scenario or of a saved plan, this controller's own doings included. Changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from nornir_upgrade.config.settings import Settings
from nornir_upgrade.core.errors import Drift
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.journal import at_work
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.finding import Finding
from nornir_upgrade.preflight import findings
from nornir_upgrade.preflight.findings import in_order
from nornir_upgrade.preflight.unreachable import UNREACHED, of_lost
from nornir_upgrade.report.summary import unfinished, ways_out
from nornir_upgrade.runner.session import ask_each, concerned, reading, refuse_drift, refuse_strangers
from nornir_upgrade.scenario import loader
from nornir_upgrade.scenario.model import Scenario

from . import prepare
from .gather import sound

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


def check(
    fleet: "NornirFleet", settings: Settings, wanted: Scenario | Plan, tell: Callable[[str], None]
) -> tuple[Finding, ...]:
    """Everything that would be found if `wanted` were to be run now. Raises what planners refuse."""
    if isinstance(wanted, Scenario):
        found = prepare.check(fleet, wanted, tell, settings.state)
        return in_order([*_other_runs(settings), *found])
    refuse_strangers(wanted, fleet.names)
    names = concerned(wanted)
    tell(f"Gathering facts from {len(names)} hosts")
    facts, lost = ask_each(fleet, names, gather)
    known = scenario_of(wanted, settings)
    found = of_plan(fleet, known, facts, settings) if known and facts else ()
    silent = (of_lost(name, failure) for name, failure in lost.items())
    return in_order([*_other_runs(settings), *_drift(wanted, facts), *silent, *found])


def of_plan(
    fleet: "NornirFleet", known: Scenario, facts: Mapping[str, HostFacts], settings: Settings
) -> tuple[Finding, ...]:
    """What is found about the hosts of a saved plan of the scenario `known`. What is about the fleet as a whole was settled when the
    plan was made, by settings that only it knew."""
    soundings, lost = sound(fleet, known, facts, settings.state)
    found = findings.findings(known, fleet.inventory, facts, soundings=soundings)
    return in_order((*lost, *(one for one in found if one.host)))


def scenario_of(plan: Plan, settings: Settings) -> Scenario | None:
    """The scenario that a saved plan was made of, where it still exists."""
    if plan.origin not in loader.names(settings.scenarios):
        return None
    return loader.load(plan.origin, directory=settings.scenarios)


def unreached(found: Iterable[Finding]) -> tuple[str, ...]:
    """The hosts that could not be asked."""
    return tuple(dict.fromkeys(one.host for one in found if one.key in UNREACHED.values()))


def _other_runs(settings: Settings) -> Iterator[Finding]:
    """Where there is no journal, there was no run."""
    if not settings.journal.exists():
        return
    if owner := at_work(settings.journal):
        text = f"another controller is at work: {owner}"
        yield Finding("journal-locked", "", "blocking", text, "wait for it to end, or interrupt it there")
    with reading(settings.given) as journal:
        runs = journal.runs()
    for run in unfinished(runs)[-1:]:
        ways = ways_out(run, settings.given, runs)
        text = f"run {run.id} ({run.plan.origin}) is unfinished"
        yield Finding("run-unfinished", "", "blocking", text, ", or: ".join(filter(None, (ways.go_on, ways.go_back))))


def _drift(plan: Plan, facts: Mapping[str, HostFacts]) -> Iterator[Finding]:
    try:
        refuse_drift(plan, facts)
    except Drift as drift:
        yield Finding("drift", "", "blocking", drift.message, drift.hint)

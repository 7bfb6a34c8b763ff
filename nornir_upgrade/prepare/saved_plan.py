"""Saved plan: its hosts' facts, the drift since it was made, and the preflight of its scenario. Changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from nornir_upgrade.config.settings import Settings
from nornir_upgrade.core.errors import Drift
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.finding import Finding
from nornir_upgrade.preflight.findings import findings, in_order
from nornir_upgrade.preflight.unreachable import of_lost
from nornir_upgrade.runner.session import ask_each, concerned_hosts, refuse_drift, refuse_lost, refuse_unknown_hosts
from nornir_upgrade.scenario import loader
from nornir_upgrade.scenario.model import Scenario

from .gather import take_soundings
from .prepare import Prepared, blocking

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


def prepare_saved(
    fleet: "NornirFleet", plan: Plan, settings: Settings, note: Callable[[str], None], *, forgiving: bool = False
) -> Prepared:
    """The facts of the hosts that `plan` touches, and every finding of the preflight. Other hosts are not asked.

    The preflight is that of the plan's scenario. It is left out if that scenario no longer exists.
    Raises `UnknownName` for a host that the inventory lacks.
    Raises `Unreachable`, `Blocked` and `Drift` as well; with `forgiving`, these are findings among the others.
    """
    refuse_unknown_hosts(plan, fleet.names)
    names = concerned_hosts(plan)
    note(f"Gathering facts from {len(names)} hosts")
    facts, lost = ask_each(fleet, names, gather)
    if not forgiving:
        refuse_lost(lost)
        refuse_drift(plan, facts)
    scenario = _scenario_of(plan, settings)
    silent = (of_lost(name, failure) for name, failure in lost.items())
    preflight = _preflight(fleet, scenario, facts, settings) if scenario and facts else ()
    merged = in_order((*_drift(plan, facts), *silent, *preflight))
    return Prepared(scenario, facts, merged, None if blocking(merged) else plan)


def _preflight(
    fleet: "NornirFleet", scenario: Scenario, facts: Mapping[str, HostFacts], settings: Settings
) -> tuple[Finding, ...]:
    """The findings about hosts. Those about the whole fleet were settled when the plan was made, with `--set` of that time."""
    soundings, lost = take_soundings(fleet, scenario, facts, settings.state)
    preflight = findings(scenario, fleet.inventory, facts, soundings=soundings)
    return (*lost, *(finding for finding in preflight if finding.host))


def _scenario_of(plan: Plan, settings: Settings) -> Scenario | None:
    """The scenario that `plan` was made of; None if it no longer exists."""
    if plan.origin not in loader.names(settings.scenarios):
        return None
    return loader.load(plan.origin, directory=settings.scenarios)


def _drift(plan: Plan, facts: Mapping[str, HostFacts]) -> Iterator[Finding]:
    try:
        refuse_drift(plan, facts)
    except Drift as drift:
        yield Finding("drift", "", "blocking", drift.message, drift.hint)

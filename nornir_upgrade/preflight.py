"""Preflight: what should be known, or mended, before the first touch. Pure; each finding has a stable key and a remedy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from . import preflight_changes, preflight_fleet, preflight_host, preflight_inspection, preflight_room
from .core.facts import HostFacts
from .core.inspection import Inspection, Room
from .core.packages import Transaction
from .finding import Finding as Finding
from .parts import Member, clouds
from .scenario import Scenario

Previews = Mapping[str, Mapping[str, Transaction]]


@dataclass(frozen=True, slots=True)
class Soundings:
    """What was found out beyond facts: by looking closer at hosts, and at the controller's own disk. All of it may be missing."""

    inspections: Mapping[str, Inspection] = field(default_factory=dict)
    controller: Room | None = None


NOTHING = Soundings()


def findings(
    scenario: Scenario,
    hosts: Sequence[Member],
    facts: Mapping[str, HostFacts],
    previews: Previews | None = None,
    soundings: Soundings = NOTHING,
) -> tuple[Finding, ...]:
    """All findings, the blocking ones first, then by host and key; those that the scenario waives, and says so, last.

    `hosts` is the whole inventory, `facts` is of those in scope. Without `previews`, what depends on them is not looked at.
    """
    inspections = soundings.inspections
    found = [
        *preflight_fleet.groups(scenario, hosts),
        *preflight_fleet.strangers(scenario, hosts, facts),
    ]
    for near in clouds(hosts).values():
        found += preflight_fleet.put_off(scenario, near, facts)
        found += preflight_fleet.last_of_stages(scenario, near, facts)
        found += preflight_inspection.of_databases(scenario, near, facts, inspections)
    for name, its in facts.items():
        inspection = inspections.get(name)
        busy = preflight_inspection.busy(inspection)
        found += preflight_host.of_host(scenario, hosts, its, busy=busy)
        found += preflight_inspection.of_host(its, inspection)
    if previews is not None:
        found += _previewed(scenario, hosts, facts, previews, soundings)
    return in_order(replace(one, waived=one.key in scenario.waive) for one in found)


def _previewed(
    scenario: Scenario,
    hosts: Sequence[Member],
    facts: Mapping[str, HostFacts],
    previews: Previews,
    soundings: Soundings,
) -> list[Finding]:
    found: list[Finding] = []
    for cloud, near in clouds(hosts).items():
        found += preflight_fleet.limits(scenario, cloud, near, facts, previews)
    for name, its in facts.items():
        made = previews.get(name, {})
        found += preflight_changes.of_changes(scenario, hosts, its, made)
        if inspection := soundings.inspections.get(name):
            changes = tuple(chain.from_iterable(one.changes for one in made.values()))
            found += preflight_inspection.of_changes(its, inspection, changes)
            found += preflight_room.on_host(its, inspection, changes)
    if soundings.controller:
        found += preflight_room.on_controller(soundings.controller, soundings.inspections, previews)
    return found


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once: the blocking ones first, what is waived last; then by host and key."""
    ranks = ("blocking", "advisory", "waived")
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (ranks.index(one.word), one.host, one.key, one.text)))

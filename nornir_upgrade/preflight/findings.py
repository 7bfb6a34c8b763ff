"""Preflight findings: what to know or repair before a run changes anything. Pure; each has a stable key and a remedy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.facts.probe import Probe, Room
from nornir_upgrade.core.packaging.model import Transaction
from nornir_upgrade.finding import Finding as Finding
from nornir_upgrade.planner.selection import Member, clouds
from nornir_upgrade.scenario.model import Scenario

from . import disk_space, fleet, host, probe
from .host import of_host

Previews = Mapping[str, Mapping[str, Transaction]]


@dataclass(frozen=True, slots=True)
class Soundings:
    """What is known beyond facts: probes of hosts, and the controller's own disk. Any of it may be missing."""

    inspections: Mapping[str, Probe] = field(default_factory=dict)
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
        *fleet.groups(scenario, hosts),
        *fleet.strangers(scenario, hosts, facts),
    ]
    for near in clouds(hosts).values():
        found += fleet.put_off(scenario, near, facts)
        found += fleet.last_of_stages(scenario, near, facts)
        found += probe.of_databases(scenario, near, facts, inspections)
    for name, its in facts.items():
        inspection = inspections.get(name)
        busy = probe.busy(inspection)
        found += of_host(scenario, hosts, its, busy=busy)
        found += probe.of_host(its, inspection)
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
        found += fleet.limits(scenario, cloud, near, facts, previews)
    for name, its in facts.items():
        made = previews.get(name, {})
        found += host.of_changes(scenario, hosts, its, made)
        if inspection := soundings.inspections.get(name):
            changes = tuple(chain.from_iterable(one.changes for one in made.values()))
            found += probe.of_changes(its, inspection, changes)
            found += disk_space.on_host(its, inspection, changes)
    if soundings.controller:
        found += disk_space.on_controller(soundings.controller, soundings.inspections, previews)
    return found


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once: the blocking ones first, what is waived last; then by host and key."""
    ranks = ("blocking", "advisory", "waived")
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (ranks.index(one.word), one.host, one.key, one.text)))

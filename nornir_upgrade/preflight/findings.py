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
    every = [
        *fleet.groups(scenario, hosts),
        *fleet.strangers(scenario, hosts, facts),
    ]
    for near in clouds(hosts).values():
        every += fleet.put_off(scenario, near, facts)
        every += fleet.last_of_stages(scenario, near, facts)
        every += probe.of_databases(scenario, near, facts, inspections)
    for name, host_facts in facts.items():
        inspection = inspections.get(name)
        busy = probe.busy(inspection)
        every += of_host(scenario, hosts, host_facts, busy=busy)
        every += probe.of_host(host_facts, inspection)
    if previews is not None:
        every += _previewed(scenario, hosts, facts, previews, soundings)
    return in_order(replace(finding, waived=finding.key in scenario.waive) for finding in every)


def _previewed(
    scenario: Scenario,
    hosts: Sequence[Member],
    facts: Mapping[str, HostFacts],
    previews: Previews,
    soundings: Soundings,
) -> list[Finding]:
    every: list[Finding] = []
    for cloud, near in clouds(hosts).items():
        every += fleet.limits(scenario, cloud, near, facts, previews)
    for name, host_facts in facts.items():
        transactions = previews.get(name, {})
        every += host.of_changes(scenario, hosts, host_facts, transactions)
        if inspection := soundings.inspections.get(name):
            changes = tuple(chain.from_iterable(transaction.changes for transaction in transactions.values()))
            every += probe.of_changes(host_facts, inspection, changes)
            every += disk_space.on_host(host_facts, inspection, changes)
    if soundings.controller:
        every += disk_space.on_controller(soundings.controller, soundings.inspections, previews)
    return every


def in_order(unordered: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once: the blocking ones first, what is waived last; then by host and key."""
    ranks = ("blocking", "advisory", "waived")
    return tuple(
        sorted(
            dict.fromkeys(unordered),
            key=lambda finding: (ranks.index(finding.word), finding.host, finding.key, finding.text),
        )
    )

"""Preflight: what should be known, or mended, before the first touch. Pure; each finding has a stable key and a remedy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .core.facts import HostFacts
from .core.packages import PackageChange, Transaction
from .document import nearest
from .parts import Member, Part, awaited, clouds, database_host, matches, members, parts, switched
from .remedies import REMEDIES
from .scenario import Scenario, Stage

Severity = Literal["blocking", "advisory"]
Previews = Mapping[str, Mapping[str, Transaction]]

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a host ('': about the fleet). With a `blocking` one nothing is begun; `key` never changes its meaning."""

    key: str
    host: str
    severity: Severity
    text: str
    remedy: str


def findings(
    scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts], previews: Previews | None = None
) -> tuple[Finding, ...]:
    """All findings, the blocking ones first, then by host and key.

    `hosts` is the whole inventory, `facts` is of those in scope. Without `previews`, what depends on them is not looked at.
    """
    found = [
        *_groups(scenario, hosts),
        *_strangers(scenario, hosts, facts),
        *(one for near in clouds(hosts).values() for one in _put_off(scenario, near, facts)),
        *(one for name in facts for one in _host(scenario, hosts, facts[name])),
    ]
    if previews is not None:
        found += (
            one for cloud, near in clouds(hosts).items() for one in _limits(scenario, cloud, near, facts, previews)
        )
        found += (one for name in facts for one in _transactions(scenario, hosts, facts[name], previews.get(name, {})))
    return tuple(
        sorted(dict.fromkeys(found), key=lambda one: (one.severity != "blocking", one.host, one.key, one.text))
    )


# ---------------------------------------------------------------------- the fleet


def _groups(scenario: Scenario, hosts: Sequence[Member]) -> Iterable[Finding]:
    """A stage whose group is spelt otherwise in the inventory would be left out without a word."""
    existing = sorted({group for host in hosts for group in host.groups})
    named = dict.fromkeys(group for stage in scenario.stages for group in stage.groups)
    for group in named:
        if group not in existing:
            stages = ", ".join(stage.name for stage in scenario.stages if group in stage.groups)
            settings = [setting.name for setting in scenario.settings if setting.value == group]
            way = " or ".join(f"--set {name}=GROUP, --set {name}= where there is none" for name in settings[:1])
            yield Finding(
                "group-empty",
                "",
                "blocking",
                f"no host is in group {group}, for which there is: {stages}; {nearest(group, existing)}",
                way or "put the hosts into that group of the inventory",
            )


def _strangers(scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts]) -> Iterable[Finding]:
    """Hosts of a family that the scenario is not about."""
    meant = {name for stage in scenario.stages for name in members(stage.groups, hosts)}
    for family in dict.fromkeys(its.os.family for its in facts.values()):
        strange = [name for name, its in facts.items() if its.os.family == family and name in meant]
        if strange and family not in scenario.families:
            text = f"{scenario.name} names no repositories for {family} hosts, of which there is: {_some(strange)}"
            remedy = f"name them in the scenario (repositories.{family}), or leave these hosts out with --limit"
            yield Finding("family-without-repositories", "", "blocking", text, remedy)


def _limits(
    scenario: Scenario, cloud: str, hosts: Sequence[Member], facts: Mapping[str, HostFacts], previews: Previews
) -> Iterable[Finding]:
    """Hosts of a cloud, which share a database, cannot be taken forward one without the other."""
    keeper = database_host(scenario, hosts)
    for stage in scenario.stages:
        made = (previews.get(one.host, {}).get(stage.name) for one in parts(stage, hosts, facts))
        if not stage.database or not any(transaction and transaction.changes for transaction in made):
            continue
        if not keeper:
            groups = ", ".join(scenario.database_groups) or "(none named)"
            where = f"group {groups}" + (f" of cloud {cloud}" if cloud else "")
            text = f"{stage.name}: database {stage.database} cannot be dumped: no host is in {where}"
            yield Finding("database-host-missing", "", "blocking", text, "put the database host into that group")
        first = {*members(stage.groups[:1], hosts), keeper} - {""}
        left_out = [host.name for host in hosts if host.name in first and host.name not in facts]
        may_be = [name for name in members(stage.groups[1:], hosts) if name not in facts and name not in first]
        if left_out:
            text = f"{stage.name}: {_some(left_out)} left out, and shares database {stage.database}, which is migrated"
            yield Finding("limit-splits-stage", "", "blocking", text, "add them to --limit")
        if may_be:
            text = f"{stage.name}: {_some(may_be)} left out, and may use database {stage.database}, which is migrated"
            yield Finding("limit-may-split-stage", "", "advisory", text, "add them to --limit")


def _put_off(scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts]) -> Iterable[Finding]:
    """In a cloud with these `hosts`."""
    for stage in scenario.stages:
        waiting = awaited(scenario, stage, hosts, facts) if stage.after and parts(stage, hosts, facts) else ()
        if waiting:
            text = f"{stage.name} is put off, and the old repository stays there: first {_some(waiting)} must be done"
            yield Finding("stage-put-off", "", "advisory", text, "plan again with those hosts, and without holds there")


# ---------------------------------------------------------------------- one host


def _host(scenario: Scenario, hosts: Sequence[Member], facts: HostFacts) -> Iterable[Finding]:
    remedies = REMEDIES[facts.os.family]
    if broken := tuple(dict.fromkeys(package.name for package in facts.packages if package.interrupted)):
        text = f"not wholly installed: {_some(broken)}"
        yield Finding("package-broken", facts.host, "blocking", text, remedies.mend)
    found = [(stage, one) for stage in scenario.stages for one in parts(stage, hosts, {facts.host: facts})]
    meant = facts.os.family in scenario.families and any(
        facts.host in members(stage.groups, hosts) for stage in scenario.stages
    )
    if meant and not found:
        text = "has no package of this scenario: nothing will be done there"
        yield Finding("nothing-of-scenario", facts.host, "advisory", text, "leave it out, or see to its groups")
    if held := sorted({name for _, one in found for name in one.held}):
        text = f"held, and will stay at their version: {_some(held)}"
        yield Finding("package-held", facts.host, "advisory", text, remedies.unhold(held))
    for _, one in found:
        yield from _services(one)


def _services(one: Part) -> Iterable[Finding]:
    """A service that should run and does not would make the upgrade look bad, or hide that it is."""
    for unit in one.units:
        names = ", ".join(present.name for present in unit.present)
        if unit.enabled and not unit.active:
            remedy = f"see why (journalctl -u {unit.present[0].name}), or disable it where it is not wanted"
            yield Finding("service-down", one.host, "blocking", f"{names} should run, and does not", remedy)
        elif not unit.active:
            text = f"{names} does not run, and will not be started"
            yield Finding("service-off", one.host, "advisory", text, "start it before, where it is wanted")


# ---------------------------------------------------------------------- what its package manager would do


def _transactions(
    scenario: Scenario, hosts: Sequence[Member], facts: HostFacts, previews: Mapping[str, Transaction]
) -> Iterable[Finding]:
    remedies, held = REMEDIES[facts.os.family], {package.name for package in facts.packages if package.hold}
    changes = {stage: previews[stage.name].changes for stage in scenario.stages if stage.name in previews}
    new = {change.name for made in changes.values() for change in made if change.new}
    for stage, made in changes.items():
        yield from (_lost(scenario, facts, change) for change in made if _is_lost(scenario, change, new))
        if entangled := _entangled(scenario, stage, facts.host, hosts, made):
            yield entangled
        if would := sorted(held.intersection(change.name for change in made)):
            text = f"{stage.name} would change what is held: {_some(would)}"
            yield Finding("hold-in-the-way", facts.host, "blocking", text, remedies.unhold(would))
    if changes and not any(changes.values()) and _at_the_start(scenario, facts):
        text = f"its {remedies.tool} sees nothing newer in the new repository, though the old one is still the only one there"
        yield Finding("nothing-newer", facts.host, "advisory", text, remedies.sources)


def _is_lost(scenario: Scenario, change: PackageChange, new: set[str]) -> bool:
    """Whether a package goes that no other takes the place of under its new name."""
    return not change.new and scenario.renamed(change.name) not in new


def _lost(scenario: Scenario, facts: HostFacts, change: PackageChange) -> Finding:
    text = f"{change.name} {change.old} would be removed, and nothing takes its place"
    return Finding(
        "package-lost",
        facts.host,
        "blocking" if _is_meant(scenario, facts, change) else "advisory",
        text,
        REMEDIES[facts.os.family].try_out,
    )


def _is_meant(scenario: Scenario, facts: HostFacts, change: PackageChange) -> bool:
    """Whether a stage is about the package. One that is about all of them is not about those that nobody asked for."""
    auto = any(one.auto for one in facts.packages if one.name == change.name)
    return any(matches(change.name, stage.packages) and not (stage.everything and auto) for stage in scenario.stages)


def _entangled(
    scenario: Scenario, stage: Stage, host: str, hosts: Sequence[Member], made: Sequence[PackageChange]
) -> Finding | None:
    """What a stage draws in of another one with a database would start on a schema that is not migrated yet."""
    own = {name for one in stage.services for name in one.names}
    later = scenario.stages[scenario.stages.index(stage) + 1 :]
    others = {
        name: other.name
        for other in later
        if other.database and other.database != stage.database and host in members(other.groups, hosts)
        for service in other.services
        if not own.intersection(service.names)
        for name in filter(None, (service.package, service.name))
    }
    if drawn := sorted(others.keys() & {change.name for change in made if change.new}):
        text = f"{stage.name} would also change {_some(drawn)}, which belong to {others[drawn[0]]}"
        return Finding(
            "stages-entangled", host, "blocking", text, "put both stages into one, in a scenario of your own"
        )
    return None


def _at_the_start(scenario: Scenario, facts: HostFacts) -> bool:
    old = scenario.repositories_of(facts.os.family).old
    return any(source.path == old.path for source in facts.sources) and not switched(scenario, facts)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more

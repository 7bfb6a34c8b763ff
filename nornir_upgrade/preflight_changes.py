"""Findings about what a host's package manager would do. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from .core.facts import HostFacts
from .core.packages import PackageChange, Transaction
from .finding import Finding, some
from .parts import Member, matches, members
from .remedies import REMEDIES
from .scenario import Scenario, Stage
from .switch import has_both


def of_changes(
    scenario: Scenario, hosts: Sequence[Member], facts: HostFacts, previews: Mapping[str, Transaction]
) -> Iterable[Finding]:
    remedies, held = REMEDIES[facts.os.family], {package.name for package in facts.packages if package.hold}
    changes = {stage: previews[stage.name].changes for stage in scenario.stages if stage.name in previews}
    new = {change.name for made in changes.values() for change in made if change.new}
    for stage, made in changes.items():
        because = dict(previews[stage.name].excluders)
        yield from (_lost(scenario, facts, change, because) for change in made if _is_lost(scenario, change, new))
        if entangled := _entangled(scenario, stage, facts.host, hosts, made):
            yield entangled
        if would := sorted(held.intersection(change.name for change in made)):
            text = f"{stage.name} would change what is held: {some(would)}"
            yield Finding("hold-in-the-way", facts.host, "blocking", text, remedies.unhold(would))
    if changes and not any(changes.values()) and _at_the_start(scenario, facts):
        text = f"its {remedies.tool} sees nothing newer in the new repository, though the old one is still the only one there"
        yield Finding("nothing-newer", facts.host, "advisory", text, remedies.sources)


def _is_lost(scenario: Scenario, change: PackageChange, new: set[str]) -> bool:
    """Whether a package goes that no other takes the place of under its new name."""
    return not change.new and scenario.renamed(change.name) not in new


def _lost(scenario: Scenario, facts: HostFacts, change: PackageChange, because: Mapping[str, str]) -> Finding:
    """`because`: which new package cannot be together with it, by name."""
    text = f"{change.name} {change.old} would be removed, and nothing takes its place"
    remedy = REMEDIES[facts.os.family].try_out
    if excluder := because.get(change.name):
        new = excluder.partition(" ")[0]
        text += f": {excluder} conflicts with it"
        remedy = f"where {new} takes its place, say so in the scenario: renames: {{{change.name}: {new}}}"
    return Finding(
        "package-lost",
        facts.host,
        "blocking" if _is_meant(scenario, facts, change) else "advisory",
        text,
        remedy,
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
        text = f"{stage.name} would also change {some(drawn)}, which belong to {others[drawn[0]]}"
        return Finding(
            "stages-entangled", host, "blocking", text, "put both stages into one, in a scenario of your own"
        )
    return None


def _at_the_start(scenario: Scenario, facts: HostFacts) -> bool:
    its = scenario.repositories_of(facts.os.family)
    old = its.old.path if its.old and not its.in_place else ""
    return any(source.path == old for source in facts.sources) and not has_both(scenario, facts)

"""Findings about what a host's package manager would do. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import PackageChange, Transaction
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.transport.odd_names import odd
from nornir_upgrade.finding import Finding, some
from nornir_upgrade.planner.repository_switch import Texts, has_both
from nornir_upgrade.planner.selection import HostSelection, Member, matches, members, parts
from nornir_upgrade.scenario.model import Rewrite, Scenario, Stage


def of_changes(
    scenario: Scenario, hosts: Sequence[Member], facts: HostFacts, previews: Mapping[str, Transaction]
) -> Iterable[Finding]:
    remedies, held = family_of(facts.os.manager).remedies, {package.name for package in facts.packages if package.hold}
    changes = {stage: previews[stage.name].changes for stage in scenario.stages if stage.name in previews}
    new = {change.name for planned in changes.values() for change in planned if change.new}
    for stage, stage_changes in changes.items():
        because = dict(previews[stage.name].excluders)
        yield from (
            _lost(scenario, facts, change, because) for change in stage_changes if _is_lost(scenario, change, new)
        )
        if entangled := _entangled(scenario, stage, facts.host, hosts, stage_changes):
            yield entangled
        if would := sorted(held.intersection(change.name for change in stage_changes)):
            text = f"{stage.name} would change what is held: {some(would)}"
            yield Finding("hold-in-the-way", facts.host, "blocking", text, remedies.unhold(would))
    every = [change for planned in changes.values() for change in planned]
    yield from filter(None, (_stranded(scenario, facts, server, every) for server in SERVERS))
    if changes and not any(changes.values()) and _at_the_start(scenario, facts):
        text = f"its {remedies.tool} sees nothing newer in the new repository, though the old one is still the only one there"
        yield Finding("nothing-newer", facts.host, "advisory", text, remedies.sources)


@dataclass(frozen=True, slots=True)
class Server:
    """A database server whose older series cannot read data of a newer one, and its `packages`.

    Its data are saved by dumps of stages, or with `tree` as a tree that a stage captures.
    """

    name: str
    packages: tuple[str, ...]
    tree: str = ""


SERVERS = (
    Server("MariaDB", ("mariadb-server", "mysql-server", "mysql-server-8.0")),
    Server("redis", ("redis-server", "redis"), "/var/lib/redis"),
)
"""PostgreSQL is not listed: Debian keeps the cluster of each series."""
_SERIES = re.compile(r"(?:[0-9]+:)?([0-9]+\.[0-9]+)")


def _stranded(scenario: Scenario, facts: HostFacts, server: Server, changes: Iterable[PackageChange]) -> Finding | None:
    """A server whose series changes, and whose data no stage saves."""
    jump = next(
        (change for change in changes if change.name in server.packages and _series(change.old) != _series(change.new)),
        None,
    )
    if jump is None or not (jump.old and jump.new):
        return None
    trees = [root for stage in scenario.stages for root in stage.configuration]
    if any(stage.database for stage in scenario.stages) if not server.tree else server.tree in trees:
        return None
    text = (
        f"{server.name} goes from {_series(jump.old)} to {_series(jump.new)}, and an older one does not take a newer one's data:"
        " after the way back it has none of them"
    )
    remedy = "dump its databases before the run, and load them after a way back; or give them stages with database:"
    if server.tree:
        remedy = f"a stage with configuration: [{server.tree}], which stops the service first"
    return Finding("data-not-taken-back", facts.host, "advisory", text, remedy)


def _series(version: str) -> str:
    match = _SERIES.match(version)
    return match[1] if match else version


def _is_lost(scenario: Scenario, change: PackageChange, new: set[str]) -> bool:
    """Whether a package is removed, and none with its new name is installed."""
    return not change.new and scenario.renamed(change.name) not in new


def _lost(scenario: Scenario, facts: HostFacts, change: PackageChange, because: Mapping[str, str]) -> Finding:
    """`because`: by name, the new package that conflicts with a removed one."""
    text = f"{change.name} {change.old} would be removed, and nothing takes its place"
    remedy = family_of(facts.os.manager).remedies.try_out
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
    """Whether a stage means the package. A stage of every package does not mean automatic ones."""
    auto = any(package.auto for package in facts.packages if package.name == change.name)
    return any(matches(change.name, stage.packages) and not (stage.everything and auto) for stage in scenario.stages)


def _entangled(
    scenario: Scenario, stage: Stage, host: str, hosts: Sequence[Member], changes: Sequence[PackageChange]
) -> Finding | None:
    """Packages that a stage also changes, and that belong to another stage with a database: their schema is not migrated yet."""
    own = {name for service in stage.services for name in service.names}
    later = scenario.stages[scenario.stages.index(stage) + 1 :]
    others = {
        name: other.name
        for other in later
        if other.database and other.database != stage.database and host in members(other.groups, hosts)
        for service in other.services
        if not own.intersection(service.names)
        for name in filter(None, (service.package, service.name))
    }
    if drawn := sorted(others.keys() & {change.name for change in changes if change.new}):
        text = f"{stage.name} would also change {some(drawn)}, which belong to {others[drawn[0]]}"
        return Finding(
            "stages-entangled", host, "blocking", text, "put both stages into one, in a scenario of your own"
        )
    return None


def _at_the_start(scenario: Scenario, facts: HostFacts) -> bool:
    repositories = scenario.repositories_of(facts.os.family)
    old = repositories.old.path if repositories.old and not repositories.in_place else ""
    return any(source.path == old for source in facts.sources) and not has_both(scenario, facts)


def of_host(scenario: Scenario, hosts: Sequence[Member], facts: HostFacts, *, busy: bool = False) -> Iterable[Finding]:
    """`busy`: another process changes packages there; half-installed packages are then no finding."""
    remedies = family_of(facts.os.manager).remedies
    if (broken := interrupted(facts)) and not busy:
        text = f"not wholly installed: {some(broken)}"
        yield Finding("package-broken", facts.host, "blocking", text, remedies.mend)
    selections = [
        (stage, selection) for stage in scenario.stages for selection in parts(stage, hosts, {facts.host: facts})
    ]
    meant = facts.os.family in scenario.families and any(
        facts.host in members(stage.groups, hosts) for stage in scenario.stages
    )
    if meant and not selections:
        text = "has no package of this scenario: nothing will be done there"
        yield Finding("nothing-of-scenario", facts.host, "advisory", text, "leave it out, or see to its groups")
    if odd_ones := [entry.name for entry in facts.entries if entry.name.startswith("/") and odd(entry.name)]:
        text = f"a name that is no UTF-8 is neither captured nor restored: {some(odd_ones)}"
        yield Finding("not-captured", facts.host, "advisory", text, "give it another name, where it matters")
    if held := sorted({name for _, selection in selections for name in selection.held}):
        text = f"held, and will stay at their version: {some(held)}"
        yield Finding("package-held", facts.host, "advisory", text, remedies.unhold(held))
    for _, selection in selections:
        yield from _services(selection)


def interrupted(facts: HostFacts) -> tuple[str, ...]:
    """The packages that are not wholly installed."""
    return tuple(dict.fromkeys(package.name for package in facts.packages if package.interrupted))


def _services(selection: HostSelection) -> Iterable[Finding]:
    """Services that should run and do not: after the upgrade nobody could tell whether it broke them."""
    for unit in selection.units:
        names = ", ".join(present.name for present in unit.present)
        if unit.enabled and not unit.active:
            remedy = f"see why (journalctl -u {unit.present[0].name}), or disable it where it is not wanted"
            yield Finding("service-down", selection.host, "blocking", f"{names} should run, and does not", remedy)
        elif not unit.active:
            text = f"{names} does not run, and will not be started"
            yield Finding("service-off", selection.host, "advisory", text, "start it before, where it is wanted")


def of_sources(scenario: Scenario, facts: Mapping[str, HostFacts], texts: Texts) -> Iterable[Finding]:
    """Hosts whose source files name neither an old nor a new suite: they would only be upgraded within their release."""
    for name, own in texts.items():
        rewrites = scenario.repositories_of(facts[name].os.family).rewrites
        if not any(_concerns(facts[name], rewrite, path, text) for rewrite in rewrites for path, text in own.items()):
            wanted = some(sorted({old for rewrite in rewrites for old, _ in rewrite.suites}))
            text = f"none of its source files names a suite of the old release, or of the new one: {wanted}"
            remedy = "on the host: apt-cache policy; leave it out with --limit, or set the codenames of its releases"
            yield Finding("suite-missing", name, "blocking", text, remedy)


def _concerns(facts: HostFacts, rewrite: Rewrite, path: str, text: str) -> bool:
    """Whether the file names an old suite, or, rewritten before, a new one."""
    back = tuple((new, old) for old, new in rewrite.suites)
    kind = family_of(facts.os.manager).repositories
    return any(kind.rewrite(path, text, renames) for renames in (rewrite.suites, back))

"""Host work: what each host has to do in a stage, with its packages pinned to versions. Pure.

It follows from the scenario, the facts, and what each host's package manager would do."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nornir_upgrade.core.errors import NoSolution
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import (
    Package,
    PackageChange,
    PackageWant,
    Transaction,
    by_name,
    standing_for,
)
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.scenario.model import Scenario, Stage

from .repository_switch import Switch, Texts, has_both, switch
from .selection import HostSelection, Member, Unit, awaited, clouds, parts, units

Previews = Mapping[str, Mapping[str, Transaction]]
"""What each host's own package manager would do: host -> stage -> transaction."""


@dataclass(frozen=True, slots=True)
class HostWork:
    """One host's work in a stage. `want` is empty where no package changes. `first`: no earlier stage changes packages there.

    `versions`: what each package has when the stage is done, by name. `switch`: how its repositories change. `running`: services
    of no catalogue that run. `former`: by service, its packages under the names of the old release.
    """

    host: str
    manager: str
    units: tuple[Unit, ...]
    want: tuple[PackageWant, ...]
    first: bool
    versions: Mapping[str, str]
    switch: Switch = field(default_factory=Switch)
    running: tuple[str, ...] = ()
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A stage with the tasks of its hosts."""

    stage: Stage
    tasks: tuple[HostWork, ...]


def drafts(
    scenario: Scenario,
    hosts: Sequence[Member],
    facts: Mapping[str, HostFacts],
    previews: Previews,
    texts: Texts,
) -> Iterator[Draft]:
    """The stages that have work, in order. A package belongs to the first stage whose transaction changes it."""
    switches = {name: switch(scenario, facts[name], texts.get(name, {})) for name in previews}
    planned: dict[str, dict[tuple[str, str], str]] = {}
    for stage in scenario.stages:
        tasks = []
        for selection in parts(stage, hosts, facts):
            seen = planned.setdefault(selection.host, {})
            transaction = previews[selection.host][stage.name] if selection.packages else Transaction(())
            task = _task(scenario, stage, selection, facts[selection.host], transaction, seen)
            tasks.append(replace(task, switch=switches.get(selection.host, task.switch)))
            seen |= {(change.name, change.arch): change.new for change in transaction.changes}
        begun = {host for host, seen in planned.items() if seen or has_both(scenario, facts[host])}
        due = {host for near in clouds(hosts).values() for host in _due(scenario, stage, tasks, near, facts, begun)}
        if due:
            yield Draft(stage, tuple(task for task in tasks if task.host in due))


def _due(
    scenario: Scenario,
    stage: Stage,
    tasks: Iterable[HostWork],
    near: Sequence[Member],
    facts: Mapping[str, HostFacts],
    begun: Container[str],
) -> tuple[str, ...]:
    """The hosts of the cloud `near` that have work. Where one host of a shared database has, all of them take part."""
    names = {host.name for host in near}
    here = [task for task in tasks if task.host in names]
    if stage.after:
        return () if awaited(scenario, stage, near, facts) else tuple(task.host for task in here if task.host in begun)
    changed = tuple(task.host for task in here if task.want)
    return tuple(task.host for task in here) if stage.database and changed else changed


def _task(
    scenario: Scenario,
    stage: Stage,
    selection: HostSelection,
    facts: HostFacts,
    transaction: Transaction,
    seen: Mapping[tuple[str, str], str],
) -> HostWork:
    """The work of a host. Earlier stages make the changes `seen`: (name, architecture) -> version."""
    changes = _new(transaction.changes, seen, f"{selection.host}: {stage.name}")
    want = _wants(changes, selection.packages, facts, scenario)
    versions = {package.name: package.version for package in facts.packages}
    versions |= {name: version for (name, _), version in seen.items()}
    versions |= {wanted.name: wanted.version for wanted in want}
    affected = _affected(scenario, selection, want, facts)
    scenario.repositories_of(facts.os.family)  # refuses hosts that the scenario is not about
    return HostWork(
        selection.host,
        facts.os.manager,
        affected,
        want,
        bool(want) and not seen,
        versions,
        running=_running(scenario, facts),
        former={unit.service.name: _former_names(scenario, unit, facts) for unit in affected},
    )


def _new(changes: Iterable[PackageChange], seen: Mapping[tuple[str, str], str], where: str) -> list[PackageChange]:
    """The changes that no earlier stage makes. Raises `NoSolution` where an earlier one wants another version."""
    new = []
    for change in changes:
        before = seen.get((change.name, change.arch))
        if before is not None and before != change.new:
            raise NoSolution(
                f"{where} wants {change.name} {change.new or 'removed'}, an earlier stage {before or 'removed'}",
                hint="put both into one stage of the scenario",
            )
        if before is None and change.old != change.new:
            new.append(change)
    return new


def _wants(
    changes: Sequence[PackageChange], asked: Sequence[str], facts: HostFacts, scenario: Scenario
) -> tuple[PackageWant, ...]:
    """Every package of the transaction at its version, and the other versions that stay installed beside it."""
    unpacked = [package for package in facts.packages if package.unpacked]
    named, former = by_name(unpacked), _former(unpacked, scenario)
    wants = [
        _want(change, asked, named.get(change.name, ()), former.get(change.name, ()))
        if change.new
        else _removed(change, named.get(change.name, ()), facts.os.manager)
        for change in changes
    ]
    return tuple(sorted((*wants, *_beside(changes, unpacked)), key=lambda package: (package.name, package.arch)))


def _former(unpacked: Iterable[Package], scenario: Scenario) -> dict[str, list[Package]]:
    """The packages that have another name in the new release, by that name."""
    packages: dict[str, list[Package]] = {}
    for package in unpacked:
        packages.setdefault(scenario.renamed(package.name), []).append(package)
    return packages


def _removed(change: PackageChange, namesakes: Sequence[Package], manager: str) -> PackageWant:
    """A removed package keeps its configuration where the manager knows such a state: purging may delete data for good.

    Its version is named where the package is installed in others too.
    """
    several = sum((package.name, package.arch) == (change.name, change.arch) for package in namesakes) > 1
    return PackageWant(
        change.name,
        change.arch,
        change.old if several else "",
        "config-files" if family_of(manager).format.purges else "absent",
    )


def _beside(changes: Iterable[PackageChange], unpacked: Iterable[Package]) -> Iterator[PackageWant]:
    """Installed versions that stay beside a new one, as with kernels of rpm."""
    added = {(change.name, change.arch) for change in changes if change.new and not change.old}
    gone = {(change.name, change.arch, change.old) for change in changes if not change.new}
    for package in unpacked:
        if (package.name, package.arch) in added and (package.name, package.arch, package.version) not in gone:
            yield PackageWant(package.name, package.arch, package.version, "installed", package.auto, package.hold)


def _want(
    change: PackageChange, asked: Sequence[str], namesakes: Sequence[Package], former: Sequence[Package]
) -> PackageWant:
    """An installed package keeps its marks. A renamed package takes over the mark of the old one. Any other new package is
    automatic, unless the stage names it."""
    want = PackageWant(change.name, change.arch, change.new, "installed", auto=change.name not in asked)
    by_key = {package.key: package for package in namesakes}
    if same := standing_for(want, namesakes):
        return replace(want, auto=by_key[same].auto, hold=by_key[same].hold)
    if former:
        return replace(want, auto=all(package.auto for package in former))
    return want


def _affected(
    scenario: Scenario, selection: HostSelection, want: Sequence[PackageWant], facts: HostFacts
) -> tuple[Unit, ...]:
    """The stage's services on the host, and the services of other packages that the transaction changes."""
    changed = {wanted.name for wanted in want}
    own = {unit.service for unit in selection.units}
    drawn = [service for service in scenario.services if service not in own and changed.intersection(service.packages)]
    return (*selection.units, *units(drawn, facts))


def _former_names(scenario: Scenario, unit: Unit, facts: HostFacts) -> tuple[str, ...]:
    """The packages of the host whose new name is that of a package of the service."""
    return tuple(package.name for package in facts.packages if scenario.renamed(package.name) in unit.service.packages)


def _running(scenario: Scenario, facts: HostFacts) -> tuple[str, ...]:
    """The running services that the scenario does not know: only a gate over all of them checks these afterwards."""
    known = {name for service in scenario.services for name in service.names}
    return tuple(service.name for service in facts.services if service.active and service.name not in known)

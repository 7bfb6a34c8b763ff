"""The way forward of a fleet as a plan. Pure: from the scenario, the inventory, the facts and what each host's apt would do.

A stage with a database goes in step: stop and capture everywhere, dump, packages and edits, migrate once, start, verify. A stage
without goes host by host, in batches. Captures come before whatever they cover; the old repository goes last of all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import waves
from .core.errors import InvalidInput, NoSolution
from .core.facts import HostFacts
from .core.packages import Package, PackageChange, PackageWant, Transaction, digest_of_packages, standing_for
from .core.plan import Plan, Wave, Work
from .core.preview import EVERYTHING
from .core.step import Step
from .gates import AuditClean, HttpStatus, PortOpen, ServiceActive
from .parts import Member, Part, Unit, awaited, database_host, members, parts, switched, units
from .phases import Phase, Steps, rolling
from .phases import waves as in_step
from .scenario import Scenario, Stage
from .steps.commands import RunCommand
from .steps.databases import DumpDatabase
from .steps.files import CaptureFiles
from .steps.ini import SetOption
from .steps.packages import SetPackages
from .steps.repositories import SetRepository
from .steps.services import ServiceWant, SetServices

Previews = Mapping[str, Mapping[str, Transaction]]
"""What each host's own apt would do: host -> stage -> transaction."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a host's apt is asked: `packages` (stage -> names) at their candidates, with the files `repositories` (path -> text)."""

    repositories: Mapping[str, str]
    packages: Mapping[str, tuple[str, ...]]


def requests(scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts]) -> dict[str, Request]:
    """What to ask each host that has packages of the scenario; held packages are not asked for."""
    asked: dict[str, dict[str, tuple[str, ...]]] = {}
    for stage in scenario.stages:
        for one in parts(stage, hosts, facts):
            if one.packages:
                asked.setdefault(one.host, {})[stage.name] = EVERYTHING if stage.everything else one.packages
    repositories = {scenario.new.path: scenario.new.text or ""}
    return {host: Request(repositories, packages) for host, packages in asked.items()}


def plan_upgrade(
    scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts], previews: Previews
) -> Plan:
    """The plan that takes the hosts of `facts` to the new release; without waves where that is done already.

    `hosts` is the whole inventory, `facts` is of those in scope. Raises `InvalidInput` where a database has no host in
    scope, or a batch size is none, and `NoSolution` where two stages want different things of one package.
    """
    drafts = tuple(_drafts(scenario, hosts, facts, previews))
    found: list[Wave] = []
    for draft in drafts:
        found += (
            _in_step(scenario, draft, hosts, facts) if draft.stage.database else _by_batches(scenario, draft, hosts)
        )
    return Plan("forward", scenario.name, _guarded((*found, *_last(scenario, drafts, hosts, facts)), facts))


# ---------------------------------------------------------------------- who does what in a stage


@dataclass(frozen=True, slots=True)
class _Task:
    """One host's work in a stage. `want` is empty where its packages are as they should be. `first`: its first packages step.

    `versions`: what each package has when the stage is done, by name.
    """

    host: str
    units: tuple[Unit, ...]
    want: tuple[PackageWant, ...]
    first: bool
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A stage with the tasks of its hosts."""

    stage: Stage
    tasks: tuple[_Task, ...]


def _drafts(
    scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts], previews: Previews
) -> Iterable[_Draft]:
    """The stages that have something to do, in order. A package that one stage's transaction draws in is done in that stage."""
    planned: dict[str, dict[tuple[str, str], str]] = {}
    for stage in scenario.stages:
        tasks = []
        for one in parts(stage, hosts, facts):
            seen = planned.setdefault(one.host, {})
            transaction = previews[one.host][stage.name] if one.packages else Transaction(())
            tasks.append(_task(scenario, stage, one, facts[one.host], transaction, seen))
            seen |= {(change.name, change.arch): change.new for change in transaction.changes}
        if stage.after:
            due = [task for task in tasks if planned[task.host] or switched(scenario, facts[task.host])]
            tasks = [] if awaited(scenario, stage, hosts, facts) else due
        elif not any(task.want for task in tasks):
            continue
        elif not stage.database:
            tasks = [task for task in tasks if task.want]
        if tasks:
            yield _Draft(stage, tuple(tasks))


def _task(
    scenario: Scenario,
    stage: Stage,
    one: Part,
    facts: HostFacts,
    transaction: Transaction,
    seen: Mapping[tuple[str, str], str],
) -> _Task:
    """The task of a host on which the changes `seen`, (name, architecture) -> version, are made by earlier stages."""
    changes = _new(transaction.changes, seen, f"{one.host}: {stage.name}")
    want = _wants(changes, one.packages, facts.packages, scenario)
    versions = {package.name: package.version for package in facts.packages}
    versions |= {name: version for (name, _), version in seen.items()}
    versions |= {wanted.name: wanted.version for wanted in want}
    return _Task(one.host, _affected(scenario, one, want, facts), want, bool(want) and not seen, versions)


def _new(changes: Iterable[PackageChange], seen: Mapping[tuple[str, str], str], where: str) -> list[PackageChange]:
    """Those changes that no earlier stage makes."""
    found = []
    for change in changes:
        before = seen.get((change.name, change.arch))
        if before is not None and before != change.new:
            raise NoSolution(
                f"{where} wants {change.name} {change.new or 'removed'}, an earlier stage {before or 'removed'}",
                hint="put both into one stage of the scenario",
            )
        if before is None and change.old != change.new:
            found.append(change)
    return found


def _wants(
    changes: Iterable[PackageChange], asked: Sequence[str], present: Sequence[Package], scenario: Scenario
) -> tuple[PackageWant, ...]:
    """Every package of the transaction, pinned. What goes is removed and never purged: purging may delete data for good."""
    return tuple(
        _want(change, asked, present, scenario) if change.new else _removed(change)
        for change in sorted(changes, key=lambda change: (change.name, change.arch))
    )


def _removed(change: PackageChange) -> PackageWant:
    return PackageWant(change.name, change.arch, "", "config-files")


def _want(change: PackageChange, asked: Sequence[str], present: Sequence[Package], scenario: Scenario) -> PackageWant:
    """A package that is there keeps its marks, one under a new name takes over the mark, and any other new one is automatic
    unless it was asked for."""
    want = PackageWant(change.name, change.arch, change.new, "installed", auto=change.name not in asked)
    unpacked = [package for package in present if package.unpacked]
    by_key = {package.key: package for package in unpacked}
    if same := standing_for(want, unpacked):
        return replace(want, auto=by_key[same].auto, hold=by_key[same].hold)
    if former := [package for package in unpacked if scenario.renamed(package.name) == change.name]:
        return replace(want, auto=all(package.auto for package in former))
    return want


def _affected(scenario: Scenario, one: Part, want: Sequence[PackageWant], facts: HostFacts) -> tuple[Unit, ...]:
    """The stage's services on the host, and any other whose package the transaction changes as well."""
    changed = {wanted.name for wanted in want}
    own = {unit.service for unit in one.units}
    drawn = [service for service in scenario.services if service not in own and changed.intersection(service.names)]
    return (*one.units, *units(drawn, facts))


# ---------------------------------------------------------------------- a stage's waves


def _in_step(
    scenario: Scenario, draft: _Draft, hosts: Sequence[Member], facts: Mapping[str, HostFacts]
) -> tuple[Wave, ...]:
    stage, tasks = draft.stage, draft.tasks
    keeper = database_host(scenario, hosts)
    if keeper not in facts:
        raise InvalidInput(
            f"{stage.name}: database {stage.database} must be dumped, and no host of {_listed(scenario.database_groups)} is there",
            hint="add the database host to its group in the inventory, or to --limit",
        )
    dump = DumpDatabase(stage.database, scenario.defaults_file)
    by_host = {task.host: task for task in tasks}
    batches = waves.batches(tuple(by_host), "100%", quorums=_quorums(scenario, hosts))
    return in_step(
        stage.name,
        (
            Phase("stop", {task.host: (*_stop(task), *_capture(stage, task)) for task in tasks}, {}),
            Phase("dump", {keeper: (dump,)}, {}),
            *(
                _packages(
                    scenario, stage, [by_host[host] for host in batch], f" {number}/{len(batches)}" * (len(batches) > 1)
                )
                for number, batch in enumerate(batches, 1)
            ),
            Phase("schema", {tasks[0].host: (RunCommand(stage.sync, covered=dump.capture),)}, {}),
            Phase("start", {task.host: _start(task) for task in tasks}, {task.host: _verify(task) for task in tasks}),
        ),
    )


def _packages(scenario: Scenario, stage: Stage, tasks: Sequence[_Task], which: str) -> Phase:
    work = {task.host: (*_change(scenario, stage, task), *_edits(stage, task)) for task in tasks}
    return Phase(f"packages{which}", work, {task.host: (AuditClean(),) for task in tasks if task.want})


def _by_batches(scenario: Scenario, draft: _Draft, hosts: Sequence[Member]) -> tuple[Wave, ...]:
    stage, by_host = draft.stage, {task.host: task for task in draft.tasks}
    batches = waves.batches(tuple(by_host), stage.serial, quorums=_quorums(scenario, hosts))

    def phase(batch: Sequence[str]) -> Phase:
        tasks = [by_host[host] for host in batch]
        return Phase(
            "",
            {task.host: _alone(scenario, stage, task) for task in tasks},
            {task.host: _verify(task) for task in tasks},
        )

    return rolling(stage.name, map(phase, batches))


def _alone(scenario: Scenario, stage: Stage, task: _Task) -> Steps:
    """All that a host does in a stage in which it goes by itself."""
    return (*_stop(task), *_capture(stage, task), *_change(scenario, stage, task), *_edits(stage, task), *_start(task))


def _quorums(scenario: Scenario, hosts: Sequence[Member]) -> dict[str, tuple[str, ...]]:
    return {group: members((group,), hosts) for group in scenario.quorums}


def _last(
    scenario: Scenario, drafts: Sequence[_Draft], hosts: Sequence[Member], facts: Mapping[str, HostFacts]
) -> Iterable[Wave]:
    """The old repository goes on every host that is wholly done: none of its packages held, no stage of it put off."""
    open_hosts: set[str] = set()
    touched = {task.host for draft in drafts for task in draft.tasks if task.want}
    for stage in scenario.stages:
        put_off = bool(stage.after) and bool(awaited(scenario, stage, hosts, facts))
        open_hosts |= {one.host for one in parts(stage, hosts, facts) if put_off or one.held}
    done = [
        host.name
        for host in hosts
        if host.name in facts and host.name not in open_hosts and _has(facts[host.name], scenario.old.path)
        if host.name in touched or switched(scenario, facts[host.name])
    ]
    if done:
        yield Wave("old-repository", tuple(Work(host, (SetRepository(scenario.old.path),)) for host in done))


def _has(facts: HostFacts, path: str) -> bool:
    return any(source.path == path for source in facts.sources)


# ---------------------------------------------------------------------- a host's steps


def _stop(task: _Task) -> Steps:
    want = tuple(ServiceWant(one.name, active=False) for unit in task.units for one in unit.present)
    return (SetServices(want),) if want else ()


def _capture(stage: Stage, task: _Task) -> Steps:
    name = _configuration(stage, task)
    return (CaptureFiles(stage.configuration, name),) if name and task.want else ()


def _configuration(stage: Stage, task: _Task) -> str:
    """The name under which the host's configuration is captured in the stage; '' where none is."""
    return f"configuration of {task.host} before {stage.name}" if stage.configuration else ""


def _change(scenario: Scenario, stage: Stage, task: _Task) -> Steps:
    if not task.want:
        return ()
    stopped = tuple(dict.fromkeys(name for unit in task.units for name in unit.service.names))
    switch = (SetRepository(scenario.new.path, scenario.new.text),) if task.first else ()
    return (*switch, SetPackages(task.want, keep_stopped=stopped, configuration=_configuration(stage, task)))


def _edits(stage: Stage, task: _Task) -> Steps:
    """Files are edited where a service reads them, once its packages have brought them."""
    if not task.units or not (task.want or stage.after):
        return ()
    return tuple(SetOption(edit.path, edit.section, edit.option, edit.value) for edit in stage.edits)


def _start(task: _Task) -> Steps:
    want = tuple(_as_before(unit) for unit in task.units)
    return (SetServices(want),) if want else ()


def _as_before(unit: Unit) -> ServiceWant:
    """Under its new name a service runs if it ran, and starts at boot if it did: maintainer scripts enable what they install."""
    return ServiceWant(unit.service.name, unit.active, unit.enabled if unit.changes_name else None)


def _verify(task: _Task) -> Steps:
    gates: list[Step] = []
    for unit in (unit for unit in task.units if unit.active):
        service = unit.service
        gates.append(ServiceActive(service.name))
        if service.port:
            gates.append(PortOpen(service.port))
        if service.port and service.path:
            says = service.says.replace("{version}", task.versions.get(service.name, ""))
            gates.append(HttpStatus(f"http://127.0.0.1:{service.port}{service.path}", service.status, says))
    return (*gates, AuditClean()) if task.want else tuple(gates)


# ---------------------------------------------------------------------- the plan as a whole


def _guarded(found: Iterable[Wave], facts: Mapping[str, HostFacts]) -> tuple[Wave, ...]:
    """The first work of each host assumes the packages that it was planned for; what comes after changes them."""
    seen: set[str] = set()
    guarded = []
    for wave in found:
        work = tuple(
            Work(one.host, one.steps, "" if one.host in seen else digest_of_packages(facts[one.host].packages))
            for one in wave.work
        )
        seen.update(wave.hosts)
        guarded.append(Wave(wave.name, work, wave.gates))
    return tuple(guarded)


def _listed(groups: Sequence[str]) -> str:
    return f"group {', '.join(groups)}" if groups else "its groups"

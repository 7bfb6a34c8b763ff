"""Upgrade plan: the way forward of a fleet. Pure: from the scenario, the inventory, the facts and what each package manager would do.

Hosts of a stage with a database work in step: stop and capture everywhere, dump, change packages and edit files, migrate once,
start, verify. Clouds work side by side, each with its own database. A stage without a database upgrades hosts in batches. Captures
precede whatever they cover. The old repository is removed last. Work that can fail without touching a service is first (`beforehand`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nornir_upgrade.core.batches import batches
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import digest_of_packages
from nornir_upgrade.core.packaging.preview import EVERYTHING
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.plan import Plan, Wave, Work, guard_against_drift
from nornir_upgrade.scenario.model import Scenario, Stage
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.gates import AuditClean

from .barriers import Phase, Steps, rolling
from .barriers import waves as in_step
from .host_steps import capture, change, edits, note, start, stop, verify
from .host_work import Draft, HostWork, Previews, drafts
from .preparation_wave import NAME, beforehand
from .repository_switch import Texts, has_both, switch
from .selection import Member, awaited, clouds, database_host, members, parts


@dataclass(frozen=True, slots=True)
class Request:
    """The question for a host's package manager: `packages` (stage -> names) at their candidates, with the files
    `repositories` (path -> text). A name that the new release may have changed is followed by `>` and the new name.
    `narrow` keeps a stage to its origins, in the manager's own words."""

    manager: str
    repositories: Mapping[str, str]
    packages: Mapping[str, tuple[str, ...]]
    narrow: Mapping[str, str] = field(default_factory=dict)


def requests(
    scenario: Scenario, hosts: Sequence[Member], facts: Mapping[str, HostFacts], texts: Texts | None = None
) -> dict[str, Request]:
    """The question for each host that has packages of the scenario. Held packages are left out. `texts`: its source files.

    Raises `InvalidInput` where the scenario is not about such a host.
    """
    asked: dict[str, dict[str, tuple[str, ...]]] = {}
    for stage in scenario.stages:
        for selection in parts(stage, hosts, facts):
            if selection.packages:
                names = EVERYTHING if stage.everything else tuple(_word(scenario, name) for name in selection.packages)
                asked.setdefault(selection.host, {})[stage.name] = names
    known = texts or {}
    return {host: _request(scenario, facts[host], known.get(host, {}), packages) for host, packages in asked.items()}


def _request(
    scenario: Scenario, facts: HostFacts, texts: Mapping[str, str], packages: Mapping[str, tuple[str, ...]]
) -> Request:
    stages = (stage for stage in scenario.stages if stage.name in packages and stage.only_from)
    narrow = {stage.name: _narrow(stage, facts) for stage in stages}
    return Request(facts.os.manager, switch(scenario, facts, texts).coming, packages, narrow)


def _word(scenario: Scenario, name: str) -> str:
    new = scenario.renamed(name)
    return f"{name}>{new}" if new else name


def _narrow(stage: Stage, facts: HostFacts) -> str:
    """What keeps the host's package manager to the origins of the stage."""
    manager = facts.os.manager
    return family_of(manager).origins.narrow(stage.origins(manager), facts.repositories)


def plan_upgrade(
    scenario: Scenario,
    hosts: Sequence[Member],
    facts: Mapping[str, HostFacts],
    previews: Previews,
    texts: Texts | None = None,
) -> Plan:
    """The plan that takes the hosts of `facts` to the new release; without waves where that is done already.

    `hosts` is the whole inventory, `facts` is of those in scope, `texts` are source files to be rewritten. Raises `InvalidInput`
    where a database has no host in scope, or a batch size is none, and `NoSolution` where two stages want different things of one
    package.
    """
    due = tuple(drafts(scenario, hosts, facts, previews, texts or {}))
    waves_: list[Wave] = []
    for draft in due:
        waves_ += (
            _in_step(scenario, draft, hosts, facts) if draft.stage.database else _by_batches(scenario, draft, hosts)
        )
    waves_ += _last(scenario, due, hosts, facts, texts or {})
    waves_ += _noted(waves_)
    # A run may continue long after its preparation: the work that follows assumes the packages too.
    guarded = guard_against_drift(
        (*beforehand(waves_), *waves_), lambda host: digest_of_packages(facts[host].packages), unchanging=(NAME,)
    )
    return Plan("forward", scenario.name, guarded)


# ---------------------------------------------------------------------- a stage's waves


def _in_step(
    scenario: Scenario, draft: Draft, hosts: Sequence[Member], facts: Mapping[str, HostFacts]
) -> tuple[Wave, ...]:
    stage, tasks = draft.stage, draft.tasks
    by_host = {task.host: task for task in tasks}
    parts = batches(tuple(by_host), "100%", quorums=_quorums(scenario, hosts))
    dumps, syncs = _once_a_cloud(scenario, draft, hosts, facts)
    return in_step(
        stage.name,
        (
            Phase("stop", {task.host: (*stop(scenario, task), *capture(stage, task)) for task in tasks}, {}),
            Phase("dump", dumps, {}, together=True),
            *(
                _packages(stage, [by_host[host] for host in batch], f" {number}/{len(parts)}" * (len(parts) > 1))
                for number, batch in enumerate(parts, 1)
            ),
            Phase("schema", syncs, {}),
            Phase("start", {task.host: start(task) for task in tasks}, {task.host: verify(task) for task in tasks}),
        ),
        [frozenset(host.name for host in near) for near in clouds(hosts).values()],
    )


def _once_a_cloud(
    scenario: Scenario, draft: Draft, hosts: Sequence[Member], facts: Mapping[str, HostFacts]
) -> tuple[dict[str, Steps], dict[str, Steps]]:
    """For each cloud: its database host dumps the database, and the first host of the stage migrates it."""
    dumps: dict[str, Steps] = {}
    syncs: dict[str, Steps] = {}
    for cloud, near in clouds(hosts).items():
        names = {host.name for host in near}
        if own := [task.host for task in draft.tasks if task.host in names]:
            dump = DumpDatabase(draft.stage.database, scenario.defaults_file, cloud)
            dumps[_keeper(scenario, draft.stage, cloud, near, facts)] = (dump,)
            syncs[own[0]] = (RunCommand(draft.stage.sync, covered=dump.capture),)
    return dumps, syncs


def _keeper(
    scenario: Scenario, stage: Stage, cloud: str, near: Sequence[Member], facts: Mapping[str, HostFacts]
) -> str:
    """The database host of a cloud, those in `near`. Raises `InvalidInput` where none is in scope."""
    keeper = database_host(scenario, near)
    if keeper not in facts:
        where = _listed(scenario.database_groups) + (f" in cloud {cloud}" if cloud else "")
        raise InvalidInput(
            f"{stage.name}: database {stage.database} must be dumped, and no host of {where} is there",
            hint="add the database host to its group in the inventory, or to --limit",
        )
    return keeper


def _packages(stage: Stage, tasks: Sequence[HostWork], which: str) -> Phase:
    work = {task.host: (*change(stage, task), *edits(stage, task)) for task in tasks}
    return Phase(
        f"packages{which}", work, {task.host: (AuditClean(manager=task.manager),) for task in tasks if task.want}
    )


def _by_batches(scenario: Scenario, draft: Draft, hosts: Sequence[Member]) -> tuple[Wave, ...]:
    stage, by_host = draft.stage, {task.host: task for task in draft.tasks}
    parts = batches(tuple(by_host), stage.serial, quorums=_quorums(scenario, hosts))

    def phase(batch: Sequence[str]) -> Phase:
        tasks = [by_host[host] for host in batch]
        return Phase(
            "",
            {task.host: _alone(scenario, stage, task) for task in tasks},
            {task.host: verify(task) for task in tasks},
        )

    return rolling(stage.name, map(phase, parts))


def _alone(scenario: Scenario, stage: Stage, task: HostWork) -> Steps:
    """The steps of a host in a stage without a database, in order."""
    return (
        *stop(scenario, task),
        *capture(stage, task),
        *change(stage, task),
        *edits(stage, task),
        *start(task),
    )


def _quorums(scenario: Scenario, hosts: Sequence[Member]) -> dict[str, tuple[str, ...]]:
    """Each cloud must keep a majority of its own."""
    return {
        f"{group} of {cloud}": members((group,), near)
        for group in scenario.quorums
        for cloud, near in clouds(hosts).items()
    }


def _last(
    scenario: Scenario, due: Sequence[Draft], hosts: Sequence[Member], facts: Mapping[str, HostFacts], texts: Texts
) -> Iterable[Wave]:
    """The old repositories are removed on each finished host: none of its packages is held, none of its stages put off."""
    unfinished = {host for near in clouds(hosts).values() for host in _unfinished(scenario, near, facts)}
    begun = {task.host for draft in due for task in draft.tasks if task.want}
    begun |= {name for name, host_facts in facts.items() if has_both(scenario, host_facts)}
    done = [host.name for host in hosts if host.name in begun and host.name not in unfinished]
    closing = {name: switch(scenario, facts[name], texts.get(name, {})).closing for name in done}
    if work := tuple(Work(name, steps) for name, steps in closing.items() if steps):
        yield Wave("old-repository", work)


def _noted(planned: Sequence[Wave]) -> Iterable[Wave]:
    """A capture at the very end of the run. By it a later way back tells changes of others from those of the run."""
    steps: dict[str, Steps] = {}
    for work in (work for wave in planned for work in wave.work):
        steps[work.host] = (*steps.get(work.host, ()), *work.steps)
    if ends := tuple(Work(host, end) for host, all in steps.items() if (end := note(Work(host, all)))):
        yield Wave(LEFT, ends)


LEFT = "state"
"""The wave of the last capture."""


def _unfinished(scenario: Scenario, near: Sequence[Member], facts: Mapping[str, HostFacts]) -> Iterator[str]:
    """The hosts of one cloud that a later plan still has work for."""
    for stage in scenario.stages:
        put_off = bool(stage.after) and bool(awaited(scenario, stage, near, facts))
        yield from (selection.host for selection in parts(stage, near, facts) if put_off or selection.held)


def _listed(groups: Sequence[str]) -> str:
    return f"group {', '.join(groups)}" if groups else "its groups"

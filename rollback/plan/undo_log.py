"""The undo log of a host: each resource that runs changed, with the step that restores what it was before the first change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import Irreversible
from nornir_upgrade.core.run import Run, StepPosition
from nornir_upgrade.core.state.places import roots
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import RestoreDatabase
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import SetServices
from nornir_upgrade.steps.state import CaptureState, RestoreState

Resource = tuple[str, ...]
_STATE = roots(restored=True)


@dataclass(frozen=True, slots=True)
class Trail:
    """The steps that undo runs on one host, each resource once, in the order of first change.

    Packages and services have no step: the planner derives theirs from the present state. `services`: names of the services that
    runs changed. `state`: restores the state beside packages. `changed`: the paths in that state that the runs changed; `left`:
    their state when the runs ended. `changed` and `left` are known only if the runs captured the state at their end.
    """

    repositories: tuple[SetRepository, ...]
    databases: tuple[RestoreDatabase, ...]
    captures: tuple[RestoreFiles, ...]
    edits: tuple[RestoreFiles, ...]
    others: tuple[Step, ...]
    services: tuple[str, ...]
    state: RestoreState | None = None
    changed: frozenset[str] | None = None
    left: tuple[FileState, ...] = ()


def trail(runs: Sequence[Run], host: str, *, consent: frozenset[str] = frozenset()) -> Trail:
    """What undoes `runs` (oldest first) on `host`. *Started* counts as *done*, and the earliest observation of a resource counts.

    Raises `Irreversible` if a step that was started has no way back, unless `host` is in `consent`.
    """
    earliest: dict[Resource, Step] = {}
    services: dict[str, None] = {}
    for run in runs:
        for place, before in run.started.items():
            if place.host == host:
                step = run.step_at(place)
                services.update(dict.fromkeys(_services(step)))
                if before is None:
                    _require_way_back(run, place, step, consent)
                elif (resource := _resource(step, before)) and not _covered(resource, earliest):
                    earliest.setdefault(resource, before)
    steps = earliest.items()
    changed, left = _made(runs, host)
    return Trail(
        tuple(before for _, before in steps if isinstance(before, SetRepository)),
        tuple(before for _, before in steps if isinstance(before, RestoreDatabase)),
        tuple(b for resource, b in steps if resource[0] == "files" and isinstance(b, RestoreFiles)),
        tuple(b for resource, b in steps if resource[0] == "edit" and isinstance(b, RestoreFiles)),
        tuple(before for resource, before in steps if resource[0] in ("command", "other")),
        tuple(services),
        next((before for _, before in steps if isinstance(before, RestoreState)), None),
        changed,
        left,
    )


def _made(runs: Sequence[Run], host: str) -> tuple[frozenset[str] | None, tuple[FileState, ...]]:
    """The paths beside packages that the runs changed, and their state at the end of the last run.

    `None` if a run that may have changed some did not complete: nobody knows then what others changed since. A run that was unwound
    left the state at its start. A way back left the state at its own end, because it may have been a partial one.
    """
    first: dict[str, FileState | None] = {}
    last: dict[str, FileState | None] = {}
    left: tuple[FileState, ...] = ()
    unwound = {run.parent for run in runs if run.plan.direction == "unwind"}
    for run in runs:
        begun, ends = _noted(run, host)
        if run.status == "undone" and run.id in unwound:
            left = begun or left
        elif begun is not None and ends is not None:
            left = ends
            before, after = ({file.path: file for file in entries} for entries in (begun, ends))
            for path in {file.path for file in set(begun) ^ set(ends)}:
                first.setdefault(path, before.get(path))
                last[path] = after.get(path)
        elif _unfinished(run) and any(
            isinstance(run.step_at(place), SetPackages | RestoreState) for place in run.started if place.host == host
        ):
            return None, ()
    return frozenset(path for path, file in first.items() if file != last[path]), left


def _noted(run: Run, host: str) -> tuple[tuple[FileState, ...] | None, tuple[FileState, ...] | None]:
    """The state beside packages when the run started on `host`, and when it ended."""
    steps = [(run.step_at(place), before) for place, before in run.started.items() if place.host == host]
    captures = [
        (step.end, b.entries) for step, b in steps if isinstance(step, CaptureState) and isinstance(b, RestoreState)
    ]
    begun = next((entries for end, entries in captures if not end), None)
    return begun, next((entries for end, entries in reversed(captures) if end), None)


def _unfinished(run: Run) -> bool:
    """Whether the end state of `run` is unknown. After a completed unwind it is known: the state at the start of the unwound run."""
    return run.plan.direction != "unwind" or run.status != "succeeded"


def migrated(runs: Iterable[Run]) -> tuple[tuple[str, str], ...]:
    """(host, database) of each database that a started step of `runs` may have changed, and that only a dump can restore."""
    databases: dict[tuple[str, str], None] = {}
    for run in runs:
        for place in run.started:
            capture = run.captures.get(run.step_at(place).covered_by)
            if capture is not None and isinstance(capture[1], RestoreDatabase):
                databases[capture[0], capture[1].database] = None
    return tuple(databases)


def start_order(runs: Sequence[Run]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The order in which the forward runs start services: (wave, ((host, service), …)); each service once.

    A service belongs to the first wave that starts it. If no wave starts it, because it has another name in the new release, it
    belongs to the first wave that names it.
    """
    starts: dict[tuple[str, str], tuple[int, int, int]] = {}
    names: dict[tuple[str, str], tuple[int, int, int]] = {}
    for number, run in enumerate(runs):
        if run.plan.direction == "forward":
            for place in _places(run):
                step, when = run.step_at(place), (number, place.wave, place.index)
                for service in _services(step):
                    names.setdefault((place.host, service), when)
                for service in _started(step):
                    starts.setdefault((place.host, service), when)
    waves: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for named, (run_number, wave, _) in sorted((names | starts).items(), key=itemgetter(1)):
        waves.setdefault((run_number, wave), []).append(named)
    return tuple((runs[first].plan.waves[wave].name, tuple(services)) for (first, wave), services in waves.items())


def _places(run: Run) -> Iterable[StepPosition]:
    for number, wave in enumerate(run.plan.waves):
        for work in wave.work:
            for index in range(len(work.steps)):
                yield StepPosition(number, work.host, index)


def _services(step: Step) -> Iterable[str]:
    if isinstance(step, SetServices):
        return [want.name for want in step.want]
    return step.keep_stopped if isinstance(step, SetPackages) else ()


def _started(step: Step) -> Iterable[str]:
    return [want.name for want in step.want if want.active] if isinstance(step, SetServices) else ()


def _resource(step: Step, before: Step) -> Resource | None:
    """The resource that `before` restores; `None` if not the journal but the present state decides, or nothing is restored."""
    match before:
        case SetPackages() | SetServices():
            return None
        case DownloadPackages():
            return None  # the cache of a package manager is no state of the host
        case SetRepository():
            return ("repository", before.path)
        case RestoreDatabase():
            return ("database", before.database)
        case RestoreState():
            # A restore may be undone as any other step: the journal has what was there before it.
            return None if before.part == "end" else ("state",)
        case RestoreFiles():
            return ("edit" if isinstance(step, SetOption) else "files", *before.roots)
        case RunCommand():
            # A command and the one that undoes it are one resource: undone and done again, the first still counts.
            return ("command", *sorted((codec.dumps(before.argv), codec.dumps(before.undo))))
        case _:
            return ("other", codec.dumps(before))


def _covered(resource: Resource, earliest: Iterable[Resource]) -> bool:
    """Whether a tree that contains the file was captured before the file was first changed. Then the restore of the tree decides;
    the directory of the file may not even exist.
    """
    kind, *files = resource
    trees = [root.rstrip("/") + "/" for other, *captured in earliest if other == "files" for root in captured]
    trees += [f"{root}/" for other, *_ in earliest if other == "state" for root in _STATE]
    return kind in ("files", "edit") and all(any(file.startswith(tree) for tree in trees) for file in files)


def _require_way_back(run: Run, place: StepPosition, step: Step, consent: frozenset[str]) -> None:
    lost_capture = step.covered_by and step.covered_by not in run.captures
    reason = f"{step.covered_by} was never captured" if lost_capture else step.point_of_no_return
    if reason and place.host not in consent:
        raise Irreversible(
            f"{place.host}: no way back past: {step.describe()} ({reason})",
            hint=f"undo the rest and leave this as it is with --accept-no-way-back {place.host}",
        )

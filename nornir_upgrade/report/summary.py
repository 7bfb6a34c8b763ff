"""Summary: the recap of a run, host by host, and the exact commands that continue or undo it. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from nornir_upgrade.config.settings import DEFAULT_CONFIG
from nornir_upgrade.console.text import printable
from nornir_upgrade.core.run import Event, Run, StepPosition
from nornir_upgrade.core.transport.host import quote

_DRIFT = "drift:"
_NO_ANSWER = ("unreachable:", "connection-lost:")


@dataclass(frozen=True, slots=True)
class HostRecap:
    """The numbers of one host's steps and gates, by result.

    `ok` held already, or only read; `changed` changed the host; `failed` and `unreachable` are failures not resolved since;
    `skipped` were never started; `undone` were undone by a later run.
    """

    host: str
    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    undone: int = 0


@dataclass(frozen=True, slots=True)
class NextCommands:
    """The exact commands that continue a run (`go_on`) and that undo it (`go_back`); '' if there is none."""

    go_on: str = ""
    go_back: str = ""


@dataclass(frozen=True, slots=True)
class WaveRecap:
    """One wave: `done` of its `steps` steps are done. `state` is `done`, `begun` or `waiting`."""

    name: str
    state: str
    done: int
    steps: int


@dataclass(frozen=True, slots=True)
class FailureRecap:
    """A failure not resolved since. `step` is the step or gate in words, '' for a failure before any step. Secrets are masked."""

    host: str
    wave: str
    step: str
    error: str


@dataclass(frozen=True, slots=True)
class Recap:
    """A run at a glance.

    `opened` and `ended` are UTC, ISO 8601. `ending` is the last end in a word, '' while the run is executed, or after a crash.
    `author` opened the run. `verdict` is the result of the comparison at its end, `remedy` the advice if something differs.
    `undone_by` is the run that has undone it. `not_reached` are the hosts on which no step was started and none failed.
    `drifted` hosts make every resume fail. `at_work` is the controller that executes the run now.
    """

    run: str
    direction: str
    origin: str
    comment: str
    parent: str
    status: str
    opened: str
    ended: str
    ending: str
    undone_by: str
    author: str
    verdict: str
    remedy: str
    waves: tuple[WaveRecap, ...]
    hosts: tuple[HostRecap, ...]
    failures: tuple[FailureRecap, ...]
    not_reached: tuple[str, ...]
    ways: NextCommands
    drifted: tuple[str, ...] = ()
    at_work: str = ""


def recap_of(run: Run, config: Path, runs: Iterable[Run] = ()) -> Recap:
    """The recap of `run`. `runs` are all runs; those that undo `run` are among them."""
    ended = next((event for event in reversed(run.events) if event.what == "run_ended"), None)
    if ended and any(event.seq > ended.seq and event.what != "run_undone" for event in run.events):
        ended = None  # it was resumed since
    return Recap(
        run=run.id,
        direction=run.plan.direction,
        origin=run.plan.origin,
        comment=run.comment,
        parent=run.parent,
        status=run.status,
        opened=run.events[0].at if run.events else "",
        ended=ended.at if ended else "",
        ending=ended.text if ended else "",
        undone_by=next((event.text for event in run.events if event.what == "run_undone"), ""),
        author=printable(run.author),
        verdict=printable(run.verdict),
        remedy=_remedy(run, config) if run.status == "differs" else "",
        waves=tuple(_wave(run, number) for number in range(len(run.plan.waves))),
        hosts=tuple(_host(run, host) for host in run.plan.hosts),
        failures=tuple(_failure(run, event) for event in sorted(run.failures, key=lambda event: event.seq)),
        not_reached=_not_reached(run),
        ways=next_commands(run, config, runs),
        drifted=drifted(run),
    )


def _remedy(run: Run, config: Path) -> str:
    diff = quote(["rollback", "diff", run.plan.origin, *_config_flag(config)])
    return f"see what differs: {diff}; mend it by hand, or go back once more: {_rollback_again(run, config)}"


def _rollback_again(run: Run, config: Path) -> str:
    """The command that goes back to the same snapshot from the state of that time."""
    return quote(["rollback", "apply", "--snapshot", run.plan.origin, *_config_flag(config)])


def _config_flag(config: Path) -> list[str]:
    return [] if config == Path(DEFAULT_CONFIG) else ["-c", str(config)]


def _wave(run: Run, number: int) -> WaveRecap:
    wave = run.plan.waves[number]
    done = sum(place.wave == number for place in run.done)
    closed = any(event.what == "wave_closed" and event.wave == number for event in run.events)
    begun = any(event.what == "wave_opened" and event.wave == number for event in run.events)
    state = "done" if closed else "begun" if begun else "waiting"
    return WaveRecap(wave.name, state, done, sum(len(work.steps) for work in wave.work))


def _failure(run: Run, event: Event) -> FailureRecap:
    wave = run.plan.waves[event.wave].name if event.wave >= 0 else ""
    return FailureRecap(event.host, wave, event.text, printable(event.error))


def _not_reached(run: Run) -> tuple[str, ...]:
    begun = {place.host for place in run.started} | {event.host for event in run.failures}
    return tuple(host for host in run.plan.hosts if host not in begun)


def origin_in_words(recap: Recap) -> str:
    """The scenario of the run, the run that it undoes, or the snapshot that it leads to; the ids of the latter two are named so."""
    words = {"forward": "", "unwind": "run ", "rollback": "to snapshot "}
    return f"{words.get(recap.direction, '')}{recap.origin}"


def unfinished(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The open runs, oldest first. They block a new run."""
    return tuple(run for run in runs if run.status == "open")


def drifted(run: Run) -> tuple[str, ...]:
    """The hosts whose packages have changed since the plan was made. A resume fails on them again."""
    return tuple(dict.fromkeys(event.host for event in run.failures if event.error.startswith(_DRIFT)))


def undoing(run: Run, runs: Iterable[Run]) -> Run | None:
    """The latest open run that undoes `run` and has started a step; None if there is none."""
    children = [child for child in runs if child.parent == run.id and child.status == "open" and child.started]
    return children[-1] if children else None


def next_commands(run: Run, config: Path, runs: Iterable[Run] = ()) -> NextCommands:
    """The commands to type next. A run that is being undone, and its undoing, can only continue in that direction.

    A way back to a snapshot can also be started again, which closes the interrupted one.
    """
    if run.status != "open":
        return NextCommands()
    child = undoing(run, runs)
    forward = run.plan.direction == "forward" and child is None
    consent = _hosts_to_consent(run) if forward else ()
    go_on = "" if forward and drifted(run) else _command("resume", child or run, config, consent)
    if forward:
        return NextCommands(go_on, _command("unwind", run, config, _hosts_without_way_back(run)))
    back = child or run
    return NextCommands(go_on, _rollback_again(back, config) if back.plan.direction == "rollback" else "")


def _host(run: Run, host: str) -> HostRecap:
    places = {
        StepPosition(number, host, index)
        for number, wave in enumerate(run.plan.waves)
        for work in wave.work
        if work.host == host
        for index in range(len(work.steps))
    }
    done = places & run.done
    failures = [event for event in run.failures if event.host == host]
    unreachable = sum(event.error.startswith(_NO_ANSWER) for event in failures)
    undone = len(places & run.started.keys()) if run.status == "undone" else 0
    changed = 0 if undone else sum(_changes(run, place) for place in done)
    return HostRecap(
        host,
        ok=0 if undone else len(done) - changed + _gates_passed(run, host),
        changed=changed,
        failed=len(failures) - unreachable,
        unreachable=unreachable,
        skipped=len(places - run.started.keys() - {_place(event) for event in failures}),
        undone=undone,
    )


def _changes(run: Run, place: StepPosition) -> bool:
    """Whether the step changed its host. A capture only reads; a step changes nothing if its `want` held before."""
    step = run.step_at(place)
    return not step.capture and run.started.get(place) != step


def _gates_passed(run: Run, host: str) -> int:
    return len({(e.wave, e.text) for e in run.events if e.what == "gate_passed" and e.host == host})


def _place(event: Event) -> StepPosition:
    return StepPosition(event.wave, event.host, event.index)


def _hosts_to_consent(run: Run) -> tuple[str, ...]:
    """The hosts with points of no return ahead. To continue, the run needs consent for them."""
    hosts = {}
    for number, wave in enumerate(run.plan.waves):
        for work in wave.work:
            for index, step in enumerate(work.steps):
                if step.point_of_no_return and StepPosition(number, work.host, index) not in run.done:
                    hosts[work.host] = True
    return tuple(hosts)


def _hosts_without_way_back(run: Run) -> tuple[str, ...]:
    """The hosts on which a step without way back was started. With consent, the undoing leaves that step as it is."""
    captures, hosts = run.captures, {}
    for place, before in run.started.items():
        step = run.step_at(place)
        lost = step.covered_by or step.point_of_no_return
        if before is None and lost and step.covered_by not in captures:
            hosts[place.host] = True
    return tuple(hosts)


def _command(verb: str, run: Run, config: Path, consent: Collection[str]) -> str:
    argv = ["nornir-upgrade", verb, run.id, *_config_flag(config)]
    for host in consent:
        argv += ["--accept-no-way-back", host]
    return quote(argv)

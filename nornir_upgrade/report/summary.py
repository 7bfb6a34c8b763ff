"""Recap: how a run stands, host by host, and the exact commands that go on from there and back. Pure."""

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
    """One host's steps and gates by how they ended.

    `ok` held already, or only looked; `changed` the host; `failed` and `unreachable` are failures that still stand;
    `skipped` was never begun; `undone` was taken back by a later run.
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
    """The exact commands that go on from where a run stands, and that go back; '' where there is none."""

    go_on: str = ""
    go_back: str = ""


@dataclass(frozen=True, slots=True)
class WaveRecap:
    """One wave: `done` of its `steps` steps are; `state` is `done`, `begun` or `waiting`."""

    name: str
    state: str
    done: int
    steps: int


@dataclass(frozen=True, slots=True)
class FailureRecap:
    """A failure that still stands; `step` is the step or gate in words, '' where it came before any. Secrets are masked."""

    host: str
    wave: str
    step: str
    error: str


@dataclass(frozen=True, slots=True)
class Recap:
    """A run at a glance. `opened` and `ended` are UTC, ISO 8601; `ending` is the last end in a word, '' while it runs (or died).

    `author` opened it; `verdict` is what was found at its end, and `remedy` what to do where that is not as it should be.

    `undone_by` is the run that took it back, `not_reached` are the hosts on which nothing was begun and nothing failed. No resume gets
    past `drifted` hosts. `at_work` is the controller that is at it now.
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
    """How `run` stands; `runs` are all runs, among which those that undo it are found."""
    ended = next((event for event in reversed(run.events) if event.what == "run_ended"), None)
    if ended and any(event.seq > ended.seq and event.what != "run_undone" for event in run.events):
        ended = None  # it was resumed, and goes on
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
    look = quote(["rollback", "diff", run.plan.origin, *_where(config)])
    return f"see what differs: {look}; mend it by hand, or go back once more: {_anew(run, config)}"


def _anew(run: Run, config: Path) -> str:
    """The command that goes back to the same snapshot from what is true by then."""
    return quote(["rollback", "apply", "--snapshot", run.plan.origin, *_where(config)])


def _where(config: Path) -> list[str]:
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


def origin_in_words(run: Recap) -> str:
    """What the run is of or leads to, in words that tell a snapshot's id from a run's."""
    words = {"forward": "", "unwind": "run ", "rollback": "to snapshot "}
    return f"{words.get(run.direction, '')}{run.origin}"


def unfinished(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs that are in the way of a new one, oldest first."""
    return tuple(run for run in runs if run.status == "open")


def drifted(run: Run) -> tuple[str, ...]:
    """The hosts that are no longer in the state that the plan was made for: going on ends there again."""
    return tuple(dict.fromkeys(event.host for event in run.failures if event.error.startswith(_DRIFT)))


def undoing(run: Run, runs: Iterable[Run]) -> Run | None:
    """The latest open run that takes `run` back, and has begun to."""
    children = [one for one in runs if one.parent == run.id and one.status == "open" and one.started]
    return children[-1] if children else None


def next_commands(run: Run, config: Path, runs: Iterable[Run] = ()) -> NextCommands:
    """What to type next. A run that is being undone, and an undoing, can only go on in that direction.

    A way back to a snapshot can be begun anew as well, which closes the one that was cut off.
    """
    if run.status != "open":
        return NextCommands()
    child = undoing(run, runs)
    forward = run.plan.direction == "forward" and child is None
    consent = _passing(run) if forward else ()
    go_on = "" if forward and drifted(run) else _command("resume", child or run, config, consent)
    if forward:
        return NextCommands(go_on, _command("unwind", run, config, _passed(run)))
    back = child or run
    return NextCommands(go_on, _anew(back, config) if back.plan.direction == "rollback" else "")


def _host(run: Run, host: str) -> HostRecap:
    places = {
        StepPosition(number, host, index)
        for number, wave in enumerate(run.plan.waves)
        for work in wave.work
        if work.host == host
        for index in range(len(work.steps))
    }
    done = places & run.done
    standing = [event for event in run.failures if event.host == host]
    silent = sum(event.error.startswith(_NO_ANSWER) for event in standing)
    undone = len(places & run.started.keys()) if run.status == "undone" else 0
    changed = 0 if undone else sum(_changes(run, place) for place in done)
    return HostRecap(
        host,
        ok=0 if undone else len(done) - changed + _gates_passed(run, host),
        changed=changed,
        failed=len(standing) - silent,
        unreachable=silent,
        skipped=len(places - run.started.keys() - {_place(event) for event in standing}),
        undone=undone,
    )


def _changes(run: Run, place: StepPosition) -> bool:
    """A capture only looks; a step whose present state was what it wants changed nothing."""
    step = run.step_at(place)
    return not step.capture and run.started.get(place) != step


def _gates_passed(run: Run, host: str) -> int:
    return len({(e.wave, e.text) for e in run.events if e.what == "gate_passed" and e.host == host})


def _place(event: Event) -> StepPosition:
    return StepPosition(event.wave, event.host, event.index)


def _passing(run: Run) -> tuple[str, ...]:
    """The hosts on which points of no return are still to be passed: going on needs consent for them."""
    hosts = {}
    for number, wave in enumerate(run.plan.waves):
        for work in wave.work:
            for index, step in enumerate(work.steps):
                if step.point_of_no_return and StepPosition(number, work.host, index) not in run.done:
                    hosts[work.host] = True
    return tuple(hosts)


def _passed(run: Run) -> tuple[str, ...]:
    """The hosts on which something was begun that has no way back: going back leaves it as it is, with consent."""
    captures, hosts = run.captures, {}
    for place, before in run.started.items():
        step = run.step_at(place)
        lost = step.covered_by or step.point_of_no_return
        if before is None and lost and step.covered_by not in captures:
            hosts[place.host] = True
    return tuple(hosts)


def _command(verb: str, run: Run, config: Path, consent: Collection[str]) -> str:
    argv = ["nornir-upgrade", verb, run.id, *_where(config)]
    for host in consent:
        argv += ["--accept-no-way-back", host]
    return quote(argv)

"""HTML report: a run as one page that needs no other file, for people who did not watch the run. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from nornir_upgrade.console.text import moment, one_line, printable
from nornir_upgrade.core.run import Event, Run, StepPosition
from nornir_upgrade.core.step import Step

from .packages import count_changes, packages_of
from .prior_state import before_in_text
from .summary import Recap, origin_in_words, recap_of


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step in words: its `want`, the state before, the result, and its seconds (None: unknown)."""

    host: str
    wanted: str
    before: str
    state: str
    seconds: float | None
    error: str


@dataclass(frozen=True, slots=True)
class GateRow:
    """One gate: its condition, and whether it held in the end."""

    host: str
    wanted: str
    passed: bool
    error: str


@dataclass(frozen=True, slots=True)
class WaveRows:
    """A wave with its steps and gates, in the order of the plan."""

    name: str
    state: str
    done: int
    steps: tuple[StepRow, ...]
    gates: tuple[GateRow, ...]


def render(run: Run, config: Path, runs: Iterable[Run] = ()) -> str:
    """The page. Text from hosts is escaped, and passwords in it are masked."""
    environment = Environment(
        loader=PackageLoader("nornir_upgrade.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    environment.filters["moment"] = moment
    recap = recap_of(run, config, runs)
    template = environment.get_template("report.html.j2")
    packages = packages_of(run)
    return template.render(
        run=recap,
        waves=wave_rows(run),
        seconds=_length(recap),
        comment=one_line(recap.comment),
        packages=packages,
        origin=origin_in_words(recap),
        counts=count_changes(packages),
    )


def wave_rows(run: Run) -> tuple[WaveRows, ...]:
    """Every wave of the plan, started or not."""
    recaps = recap_of(run, Path()).waves
    waves = []
    for number, wave in enumerate(run.plan.waves):
        steps = tuple(
            _step(run, StepPosition(number, work.host, index), step)
            for work in wave.work
            for index, step in enumerate(work.steps)
        )
        gates = tuple(_gate(run, number, work.host, gate) for work in wave.gates for gate in work.steps)
        state = recaps[number].state
        if run.status == "undone" and state != "waiting":
            state = "undone"
        waves.append(WaveRows(wave.name, state, recaps[number].done, steps, tuple(filter(None, gates))))
    return tuple(waves)


def duration(seconds: float | None) -> str:
    """Seconds for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 03 min`; '' for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _step(run: Run, place: StepPosition, step: Step) -> StepRow:
    events = [e for e in run.events if (e.wave, e.host, e.index) == (place.wave, place.host, place.index)]
    started, done = place in run.started, place in run.done
    failure = next(
        (e for e in run.failures if (e.wave, e.host, e.index) == (place.wave, place.host, place.index)), None
    )
    state = "done" if done else "failed" if failure else "cut off" if started else "not begun"
    return StepRow(
        host=place.host,
        wanted=printable(step.describe()),
        before=_before(run, place, step),
        state="undone" if started and run.status == "undone" else state,
        seconds=_seconds(events) if done or failure else None,
        error=printable(failure.error) if failure else "",
    )


def _before(run: Run, place: StepPosition, step: Step) -> str:
    """The state before the step, in words; '' for a capture, and for a step that was not started."""
    before = run.started.get(place)
    if before is None or step.capture:
        return ""
    return "the same" if before == step else before_in_text(before)


def _gate(run: Run, number: int, host: str, gate: Step) -> GateRow | None:
    """The last verdict on a gate; None if it was never checked."""
    verdicts: list[Event] = [
        e
        for e in run.events
        if e.what in ("gate_passed", "gate_failed") and (e.wave, e.host, e.text) == (number, host, gate.describe())
    ]
    if not verdicts:
        return None
    last = verdicts[-1]
    return GateRow(host, printable(gate.describe()), last.what == "gate_passed", printable(last.error))


def _seconds(events: list[Event]) -> float | None:
    """The seconds from the last start to the last end. The time before a resume is not counted."""
    started = [event.at for event in events if event.what == "step_started"]
    if not started:
        return None
    return _between(started[-1], events[-1].at)


def _length(recap: Recap) -> float | None:
    return _between(recap.opened, recap.ended) if recap.ended else None


def _between(begin: str, end: str) -> float:
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds())

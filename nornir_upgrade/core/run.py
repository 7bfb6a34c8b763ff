"""Run: a plan, and the events of carrying it out. Everything about a run is computed from its events; nothing here does I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .errors import Irreversible
from .plan import Plan, Wave, Work
from .step import Step

What = Literal[
    "run_opened",
    "consent_given",
    "wave_opened",
    "step_started",
    "step_done",
    "step_failed",
    "gate_passed",
    "gate_failed",
    "host_failed",
    "wave_closed",
    "run_by",
    "announced",
    "verdict",
    "run_ended",
    "run_undone",
]
Status = Literal["open", "succeeded", "differs", "undone", "untouched"]
DIFFERS = "differs"
"""The end of a run that carried out every wave, but whose hosts are not all as they should be."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: journal row, log record, progress tick and report row in one.

    - `seq`: the order of events. `at`: UTC, ISO 8601; says nothing about order.
    - `wave`, `index`: from 0; -1 where they do not apply.
    - `text`: the step or outcome in words. Of `run_by`: who opened the run, from where and by which command. Of `verdict`: the result
      of the verification at its end. Of `announced`: the digest, in the store, of the states the verification compares with.
    - `before`: on `step_started`, the step that restores what was true.
    - `error`: the failure.
    """

    seq: int
    at: str
    run: str
    what: What
    wave: int = -1
    host: str = ""
    index: int = -1
    text: str = ""
    before: Step | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class StepPosition:
    """The position of a step in its plan. Wave and index count from 0."""

    wave: int
    host: str
    index: int


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of one plan. `parent` is the run that this one undoes, or ''."""

    id: str
    parent: str
    plan: Plan
    events: tuple[Event, ...] = ()
    comment: str = ""

    @property
    def started(self) -> dict[StepPosition, Step | None]:
        """Each started step, with the step that restores what was true before. The first observation counts, not a resume's."""
        started: dict[StepPosition, Step | None] = {}
        for event in self.events:
            if event.what == "step_started":
                started.setdefault(_position(event), event.before)
        return started

    @property
    def done(self) -> frozenset[StepPosition]:
        """Each step that was completed."""
        return frozenset(_position(event) for event in self.events if event.what == "step_done")

    @property
    def failures(self) -> tuple[Event, ...]:
        """The failures of steps, gates and hosts that have not succeeded since."""
        failures: dict[StepPosition, Event] = {}
        for event in self.events:
            if event.what in ("step_failed", "gate_failed", "host_failed"):
                failures[_position(event)] = event
            elif event.what in ("step_done", "gate_passed"):
                failures.pop(_position(event), None)
            elif event.what == "step_started":
                failures.pop(StepPosition(event.wave, event.host, -1), None)
            elif event.what == "wave_closed":
                failures = {position: failure for position, failure in failures.items() if position.wave != event.wave}
        return tuple(failures.values())

    @property
    def status(self) -> Status:
        """`open` until the run is finished or undone, or ended before it touched any host (`untouched`)."""
        if any(event.what == "run_undone" for event in self.events):
            return "undone"
        ends = [event for event in self.events if event.what == "run_ended"]
        if ends and ends[-1].text == "succeeded":
            return "succeeded"
        if ends and ends[-1].text == DIFFERS:
            return "differs"
        return "untouched" if ends and not self.started else "open"

    @property
    def consent(self) -> frozenset[str]:
        """The hosts that may be changed without a whole way back: an operator named them."""
        return frozenset(event.host for event in self.events if event.what == "consent_given")

    @property
    def author(self) -> str:
        """Who opened the run, from where, and by which command; '' where nobody recorded it."""
        return next((event.text for event in self.events if event.what == "run_by"), "")

    @property
    def announced(self) -> str:
        """The digest, in the store, of the states that were announced for its end; '' if there is none."""
        return next((event.text for event in self.events if event.what == "announced"), "")

    @property
    def verdict(self) -> str:
        """The result of the last verification at its end; '' if there was none."""
        return next((event.text for event in reversed(self.events) if event.what == "verdict"), "")

    @property
    def captures(self) -> dict[str, tuple[str, Step]]:
        """Name of each capture -> its host, and the step that restores it."""
        captures: dict[str, tuple[str, Step]] = {}
        for position, before in self.started.items():
            step = self.step_at(position)
            if step.capture and before is not None:
                captures.setdefault(step.capture, (position.host, before))
        return captures

    def step_at(self, position: StepPosition) -> Step:
        """The step of the plan at `position`."""
        work = next(work for work in self.plan.waves[position.wave].work if work.host == position.host)
        return work.steps[position.index]


def fold(run: Run, events: Iterable[Event]) -> Run:
    """`run` with `events` appended."""
    return replace(run, events=(*run.events, *events))


def unwind(run: Run, *, consent: frozenset[str] = frozenset()) -> Plan:
    """The plan that undoes `run`: its journal read backwards. A started step is undone like a completed one.

    A step that a capture covers is undone on the host of the capture. First comes the part of the restore that is `ahead`, then the
    step that the covered step observed, if any. The capture's own step restores once more; it touches only what differs by then.
    Hosts that a wave bound together for the capture are bound together for its restore: none may write meanwhile.

    Raises `Irreversible` if a started step has no way back and its host is not in `consent`. With consent, the step is left as it is.
    """
    started, captures = run.started, run.captures
    waves = []
    for number in reversed(range(len(run.plan.waves))):
        undone: dict[str, list[Step]] = {}
        for work in run.plan.waves[number].work:
            for index in reversed(range(len(work.steps))):
                position = StepPosition(number, work.host, index)
                if position in started:
                    for host, step in _inverse(work.steps[index], position, started[position], captures, consent):
                        undone.setdefault(host, []).append(step)
        if undone:
            name = f"undo {run.plan.waves[number].name}"
            works = tuple(Work(host, tuple(steps)) for host, steps in undone.items())
            waves.append(Wave(name, works, together=_together(run, number)))
    return Plan("unwind", run.id, tuple(waves))


def _together(run: Run, number: int) -> tuple[tuple[str, ...], ...]:
    """The groups of hosts that share data which undoing wave `number` restores: those of the waves that captured the data."""
    steps = {position: run.step_at(position) for position in run.started}
    restored = {step.covered_by for position, step in steps.items() if position.wave == number} - {""}
    captured = (position.wave for position, step in steps.items() if step.capture in restored)
    return tuple(dict.fromkeys(group for wave in captured for group in run.plan.waves[wave].together))


def _inverse(
    step: Step,
    position: StepPosition,
    before: Step | None,
    captures: Mapping[str, tuple[str, Step]],
    consent: frozenset[str],
) -> Iterable[tuple[str, Step]]:
    """The steps that undo a started step, each with its host. None if nothing is to undo, or if consent leaves the step as it is."""
    covered = step.covered_by in captures
    if covered:
        host, restore = captures[step.covered_by]
        yield host, restore.ahead
    if before is not None:
        yield position.host, before
    elif covered or position.host in consent:
        return
    elif step.covered_by:
        raise Irreversible(
            f"{position.host}: {step.describe()} needs {step.covered_by} to be undone, which was never captured",
            hint=f"undo the rest, and restore this by hand, with --accept-no-way-back {position.host}",
        )
    elif step.point_of_no_return:
        raise Irreversible(
            f"{position.host}: no way back past: {step.describe()} ({step.point_of_no_return})",
            hint=f"undo the rest, and leave this as it is, with --accept-no-way-back {position.host}",
        )


def _position(event: Event) -> StepPosition:
    return StepPosition(event.wave, event.host, event.index)

"""A Run is a plan and what has happened to it: a fold of events. Ways on and ways back are read off it, purely."""

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
"""How a run ended that came to its end, and whose hosts are not all as they should be."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: journal row, log record, progress tick and report row in one.

    `wave` and `index` count from 0 and are -1 where they do not apply. `at` is UTC, ISO 8601; order comes from `seq` alone.
    `before` is the step that wants what was true (on `step_started`), `text` the step or outcome in words, `error` the failure.
    `run_by` says who opened the run, from where and how; `verdict` what a comparison at its end found,
    `announced` in which object of the store it stands what it is compared with.
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
    """Where a step stands in its plan."""

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
        """Each step that was begun, with what was true before: the first observation counts, whatever a resume saw later."""
        found: dict[StepPosition, Step | None] = {}
        for event in self.events:
            if event.what == "step_started":
                found.setdefault(_place(event), event.before)
        return found

    @property
    def done(self) -> frozenset[StepPosition]:
        """Each step that came to its end."""
        return frozenset(_place(event) for event in self.events if event.what == "step_done")

    @property
    def failures(self) -> tuple[Event, ...]:
        """The failures that still stand: those of steps, gates and hosts that did not succeed later."""
        standing: dict[StepPosition, Event] = {}
        for event in self.events:
            if event.what in ("step_failed", "gate_failed", "host_failed"):
                standing[_place(event)] = event
            elif event.what in ("step_done", "gate_passed"):
                standing.pop(_place(event), None)
            elif event.what == "step_started":
                standing.pop(StepPosition(event.wave, event.host, -1), None)
            elif event.what == "wave_closed":
                standing = {place: failure for place, failure in standing.items() if place.wave != event.wave}
        return tuple(standing.values())

    @property
    def status(self) -> Status:
        """`open` until the run came to its end, was undone, or ended without having touched anything."""
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
        """The hosts that go on without a whole way back, as somebody said by name."""
        return frozenset(event.host for event in self.events if event.what == "consent_given")

    @property
    def author(self) -> str:
        """Who opened the run, from where, and by which command; '' where nobody recorded it."""
        return next((event.text for event in self.events if event.what == "run_by"), "")

    @property
    def announced(self) -> str:
        """The digest of what was told of its end before it began; '' where nothing was."""
        return next((event.text for event in self.events if event.what == "announced"), "")

    @property
    def verdict(self) -> str:
        """What the last comparison at its end found; '' where there was none."""
        return next((event.text for event in reversed(self.events) if event.what == "verdict"), "")

    @property
    def captures(self) -> dict[str, tuple[str, Step]]:
        """What each capture that was made would restore: its name -> (host, step)."""
        found: dict[str, tuple[str, Step]] = {}
        for place, before in self.started.items():
            step = self.step_at(place)
            if step.capture and before is not None:
                found.setdefault(step.capture, (place.host, before))
        return found

    def step_at(self, place: StepPosition) -> Step:
        """The step that stands at `place`."""
        work = next(work for work in self.plan.waves[place.wave].work if work.host == place.host)
        return work.steps[place.index]


def fold(run: Run, events: Iterable[Event]) -> Run:
    """`run` after `events` as well."""
    return replace(run, events=(*run.events, *events))


def unwind(run: Run, *, consent: frozenset[str] = frozenset()) -> Plan:
    """The plan that undoes `run`: its journal read backwards. *Started* counts as *done*.

    A step covered by a capture is undone by that capture's restore, or by what of it goes ahead, on the host where the capture was
    made, and then by what it observed, if anything; the capture itself restores once more, which touches only what differs by
    then. Nothing is restored while a host that shares it may still write: hosts that were together for the capture are so for its
    restore. Raises `Irreversible` where a step that was begun has no way back and its host is not in `consent`: it is then left as
    it is.
    """
    started, captures = run.started, run.captures
    waves = []
    for number in reversed(range(len(run.plan.waves))):
        undone: dict[str, list[Step]] = {}
        for work in run.plan.waves[number].work:
            for index in reversed(range(len(work.steps))):
                place = StepPosition(number, work.host, index)
                if place in started:
                    for host, step in _inverse(work.steps[index], place, started[place], captures, consent):
                        undone.setdefault(host, []).append(step)
        if undone:
            name = f"undo {run.plan.waves[number].name}"
            works = tuple(Work(host, tuple(steps)) for host, steps in undone.items())
            waves.append(Wave(name, works, together=_together(run, number)))
    return Plan("unwind", run.id, tuple(waves))


def _together(run: Run, number: int) -> tuple[tuple[str, ...], ...]:
    """The hosts that share the data which undoing the wave `number` restores: they stood still before it was captured."""
    steps = {place: run.step_at(place) for place in run.started}
    restored = {step.covered_by for place, step in steps.items() if place.wave == number} - {""}
    captured = (place.wave for place, step in steps.items() if step.capture in restored)
    return tuple(dict.fromkeys(group for wave in captured for group in run.plan.waves[wave].together))


def _inverse(
    step: Step,
    place: StepPosition,
    before: Step | None,
    captures: Mapping[str, tuple[str, Step]],
    consent: frozenset[str],
) -> Iterable[tuple[str, Step]]:
    """(host, step) of what undoes a step that was begun; nothing where there is nothing to undo, or no way and consent."""
    covered = step.covered_by in captures
    if covered:
        where, restore = captures[step.covered_by]
        yield where, restore.ahead
    if before is not None:
        yield place.host, before
    elif covered or place.host in consent:
        return
    elif step.covered_by:
        raise Irreversible(
            f"{place.host}: {step.describe()} was to be undone from {step.covered_by}, which was never captured",
            hint=f"undo the rest and restore this by hand with --accept-no-way-back {place.host}",
        )
    elif step.point_of_no_return:
        raise Irreversible(
            f"{place.host}: no way back past: {step.describe()} ({step.point_of_no_return})",
            hint=f"undo the rest and leave this as it is with --accept-no-way-back {place.host}",
        )


def _place(event: Event) -> StepPosition:
    return StepPosition(event.wave, event.host, event.index)

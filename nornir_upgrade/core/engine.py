"""Engine: `execute` carries out any plan: a forward run, a resume, an unwind or a rollback. All of them share this one code path."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from nornir_upgrade.core.transport.host import Fleet, Host, Result

from .errors import Drift, Failure, GateFailed, Irreversible, Unreachable
from .journal import Journal
from .plan import Wave, Work
from .redaction import masked
from .run import DIFFERS, Run, StepPosition
from .step import Step
from .store import Store


@dataclass(frozen=True, slots=True)
class Policy:
    """When a run stops.

    - `max_fail`: the number of failed hosts after which no further wave is opened (0: no limit).
    - `stop_after`: the number of waves after which the run stops (0: no limit).
    - `consent`: the hosts on which a point of no return may be passed.
    - `stopping`: set from outside; ends the run once the present steps are done.
    """

    max_fail: int = 1
    stop_after: int = 0
    consent: frozenset[str] = frozenset()
    stopping: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended. `failed`: host -> its failure. `finished`: every wave of the plan was carried out."""

    run: str
    failed: Mapping[str, Exception]
    finished: bool

    @property
    def succeeded(self) -> bool:
        """The plan's goal holds on every host."""
        return self.finished and not self.failed


class Stopping(Failure):
    """The run was asked to stop. The step in progress is done."""

    reference = "stopping"


class HeldBack(Failure):
    """A host was not continued, because a host that shares data with it has failed."""

    reference = "held-back"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verification of a finished run, as text. `good`: every host is as it should be."""

    good: bool
    text: str


def execute(
    run: Run,
    fleet: Fleet,
    journal: Journal,
    store: Store,
    policy: Policy,
    digest_of_packages: Callable[[Host], str],
    judge: Callable[[], Verdict] | None = None,
) -> Outcome:
    """Carries out the remaining steps of `run`, wave by wave. Afterwards the journal holds every step taken, and the run's end.

    A failed host is not touched again in this execution. Neither is a host that a wave binds to it (`Wave.together`). `policy` limits
    the failures. After the last wave `judge` verifies the hosts, and its verdict decides how the run ended.
    Raises `Irreversible`, before any host is touched, if a point of no return is ahead without consent.
    """
    _require_consent(run, policy.consent)
    execution = _Execution(run, fleet, journal, store, policy, digest_of_packages)
    finished = execution.carry_out_waves()
    outcome = Outcome(run.id, execution.failed, finished)
    if outcome.succeeded:
        _forget_jobs(run, fleet)
    good = _judged(run, journal, judge) if outcome.succeeded and judge else True
    journal.append(run.id, "run_ended", text=_ending(outcome, policy) if good else DIFFERS)
    return outcome


@dataclass(slots=True)
class _Execution:
    """The state of one execution: the run as the journal had it at the start, and the hosts that failed since."""

    run: Run
    fleet: Fleet
    journal: Journal
    store: Store
    policy: Policy
    digest_of_packages: Callable[[Host], str]
    failed: dict[str, Exception] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    started: dict[StepPosition, Step | None] = field(init=False)
    captures: dict[str, Step] = field(init=False)
    done: frozenset[StepPosition] = field(init=False)

    def __post_init__(self) -> None:
        self.started, self.done = self.run.started, self.run.done
        self.captures = {name: restore for name, (_, restore) in self.run.captures.items()}

    def carry_out_waves(self) -> bool:
        """Carries out every wave that is not closed yet. Returns whether all waves were carried out."""
        closed = {event.wave for event in self.run.events if event.what == "wave_closed"}
        carried_out = 0
        for number, wave in enumerate(self.run.plan.waves):
            if number in closed:
                continue
            self._carry_out(number, wave)
            carried_out += 1
            if self._must_stop(carried_out):
                return self._was_last(number)
        return True

    def _must_stop(self, carried_out: int) -> bool:
        """Whether no further wave may be opened."""
        failures = sum(not isinstance(error, HeldBack) for error in self.failed.values())
        too_many = 0 < self.policy.max_fail <= failures
        return too_many or self.policy.stopping.is_set() or carried_out == self.policy.stop_after

    def _was_last(self, number: int) -> bool:
        return number == len(self.run.plan.waves) - 1 and not self.policy.stopping.is_set()

    def _carry_out(self, number: int, wave: Wave) -> None:
        self.journal.append(self.run.id, "wave_opened", wave=number, text=wave.name)
        for group in wave.together:
            self._hold_back(number, group)
        self._each(number, wave.work, self._work)
        if not self.policy.stopping.is_set():
            self._each(number, wave.gates, self._check)
            if not self.failed.keys() & wave.concerned:
                self.journal.append(self.run.id, "wave_closed", wave=number, text=wave.name)

    def _hold_back(self, number: int, group: Sequence[str]) -> None:
        """If a host of `group` has failed, the others count as failed as well: none of them is continued."""
        lost = ", ".join(host for host in group if host in self.failed)
        for host in group if lost else ():
            if host not in self.failed:
                self.failed[host] = HeldBack(f"{host}: not continued: it shares data with {lost}, which failed")
                self._journal_failure(number, host, self.failed[host])

    def _each(self, number: int, work: Sequence[Work], act: Callable[[int, Work, Host], None]) -> None:
        by_host = {host_work.host: host_work for host_work in work if host_work.host not in self.failed}
        if not by_host:
            return
        results = self.fleet.each(tuple(by_host), lambda host: act(number, by_host[host.name], host))
        for name, result in results.items():
            if isinstance(result, Exception) and not isinstance(result, Stopping):
                self.failed[name] = result
                self._journal_failure(number, name, result)

    def _journal_failure(self, number: int, host: str, error: Exception) -> None:
        """Appends a failure outside of any step (unreachable, drift). A failed step or gate has its event already."""
        if not getattr(error, "journalled", False):
            self.journal.append(self.run.id, "host_failed", wave=number, host=host, error=in_words(error))

    def _work(self, number: int, work: Work, host: Host) -> None:
        self._settle(host)
        self._refuse_drift(number, work, host)
        for index, step in enumerate(work.steps):
            if StepPosition(number, work.host, index) not in self.done:
                if self.policy.stopping.is_set():
                    raise Stopping("asked to stop")
                self._take_step(step, StepPosition(number, work.host, index), host)

    def _settle(self, host: Host) -> None:
        """Waits until jobs of the run that is undone have ended: its controller may have died, and its jobs go on without it."""
        if self.run.parent and host.name not in self.settled:
            host.follow(f"{self.run.parent}.")
            self.settled.add(host.name)

    def _refuse_drift(self, number: int, work: Work, host: Host) -> None:
        untouched = not any(position.host == work.host and position.wave == number for position in self.started)
        if work.assumes and untouched and self.digest_of_packages(host) != work.assumes:
            raise Drift(
                f"{work.host}: its packages have changed since the plan was made",
                hint="look at what changed, then plan again",
            )

    def _take_step(self, step: Step, position: StepPosition, host: Host) -> None:
        """Observe, journal durably, apply, journal: the heart of the project."""
        where = {"wave": position.wave, "host": position.host, "index": position.index, "text": step.describe()}
        scoped = _scoped(host, f"{self.run.id}.{position.wave}.{position.index}.")
        step = step.knowing(self.captures)
        try:
            before = self.started[position] if position in self.started else step.observe(scoped, self.store)
            self.journal.append(self.run.id, "step_started", before=before, **where)
            if step.capture and before is not None:
                self.captures.setdefault(step.capture, before)
            note = step.apply(scoped, self.store)
        except Exception as error:
            self.journal.append(self.run.id, "step_failed", error=in_words(error), **where)
            error.journalled = True  # type: ignore[attr-defined]
            if not isinstance(error, Unreachable):
                # A job that succeeded did not suffice: the next attempt must run it again.
                scoped.forget("")
            raise
        self.journal.append(
            self.run.id, "step_done", **where | {"text": f"{step.describe()}{f' ({note})' * bool(note)}"}
        )

    def _check(self, number: int, work: Work, host: Host) -> None:
        for index, gate in enumerate(work.steps):
            where = {"wave": number, "host": work.host, "text": gate.describe()}
            try:
                gate.apply(_scoped(host, f"{self.run.id}.{number}.gate{index}."), self.store)
            except GateFailed as error:
                self.journal.append(self.run.id, "gate_failed", error=in_words(error), **where)
                error.journalled = True  # type: ignore[attr-defined]
                raise
            self.journal.append(self.run.id, "gate_passed", **where)


class _Scoped:
    """A host whose jobs are named after their run and step, so that a later controller finds them again."""

    def __init__(self, host: Host, scope: str) -> None:
        self._host = host
        self._scope = scope

    def job(self, name: str, commands: Sequence[Sequence[str]], *, timeout: float = 3600.0) -> Result:
        return self._host.job(self._scope + name, commands, timeout=timeout)

    def follow(self, prefix: str, *, timeout: float = 3600.0) -> None:
        self._host.follow(self._scope + prefix, timeout=timeout)

    def forget(self, prefix: str) -> None:
        self._host.forget(self._scope + prefix)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


def _scoped(host: Host, scope: str) -> Host:
    return cast(Host, _Scoped(host, scope))


def _judged(run: Run, journal: Journal, judge: Callable[[], Verdict]) -> bool:
    verdict = judge()
    journal.append(run.id, "verdict", text=verdict.text)
    return verdict.good


def _forget_jobs(run: Run, fleet: Fleet) -> None:
    """Removes the jobs of a finished run, and of the run that it undid, from every host: nothing asks for them again."""
    prefixes = [f"{run_id}." for run_id in (run.id, run.parent) if run_id]

    def forget(host: Host) -> None:
        for prefix in prefixes:
            host.forget(prefix)

    fleet.each(run.plan.hosts, forget)


def in_words(error: Exception) -> str:
    """A failure as events carry it: `REFERENCE: MESSAGE`, with passwords masked that a command may have printed."""
    if isinstance(error, Failure):
        return masked(f"{error.reference}: {error.message}")
    return masked(f"bug: {type(error).__name__}: {error}")


def _require_consent(run: Run, consent: frozenset[str]) -> None:
    done = run.done
    for number, wave in enumerate(run.plan.waves):
        for work in wave.work:
            for index, step in enumerate(work.steps):
                ahead = StepPosition(number, work.host, index) not in done
                if ahead and step.point_of_no_return and work.host not in consent:
                    raise Irreversible(
                        f"{work.host}: {step.describe()} cannot be undone: {step.point_of_no_return}",
                        hint=f"consent with --accept-no-way-back {work.host}",
                    )


def _ending(outcome: Outcome, policy: Policy) -> str:
    if outcome.succeeded:
        return "succeeded"
    if policy.stopping.is_set():
        return "interrupted"
    return "failed" if outcome.failed else "stopped"

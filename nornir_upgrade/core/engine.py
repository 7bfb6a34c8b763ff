"""`execute` runs any plan: forward, resumed, unwinding or rolling back. There is no second path for the worst day."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from nornir_upgrade.core.transport.host import Host, Result

from .errors import Drift, Failure, GateFailed, Irreversible, Unreachable
from .journal import Journal
from .plan import Wave, Work
from .redaction import masked
from .run import DIFFERS, Place, Run
from .step import Step
from .store import Store

T = TypeVar("T")


class Fleet(Protocol):
    """Hosts by name, and the one way to do something on many of them at once."""

    def each(self, names: Sequence[str], act: Callable[[Host], T]) -> Mapping[str, T | Exception]:
        """`act` on every named host, concurrently; each host's value, or the exception that it raised."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """When a run stops. `max_fail`: this many failed hosts close it, `stop_after`: this many waves (0: no limit).

    `consent` names the hosts on which a point of no return may be passed; `stopping` is set from outside to end the run
    after the steps that are under way.
    """

    max_fail: int = 1
    stop_after: int = 0
    consent: frozenset[str] = frozenset()
    stopping: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended. `failed`: host -> its failure; `finished`: every wave of the plan was gone through."""

    run: str
    failed: Mapping[str, Exception]
    finished: bool

    @property
    def succeeded(self) -> bool:
        """The plan's goal holds on every host."""
        return self.finished and not self.failed


class Stopping(Failure):
    """The run was asked to stop; the step that was under way is done."""

    reference = "stopping"


class HeldBack(Failure):
    """A host was not gone on with, for another that shares data with it failed before."""

    reference = "held-back"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found when a run had come to its end, in words; `good`: every host is as it should be."""

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
    """Do what is left of `run`, wave by wave; afterwards the journal holds how far it came, and its end.

    Where all of it was done, `judge` looks whether the hosts are as they should be, before the run counts as ended.

    A host that failed is left alone for the rest of this execution, and so is one that a wave binds together with it; `policy`
    says how many may fail. Raises `Irreversible`
    before anything is touched when a point of no return lies ahead without consent.
    """
    _require_consent(run, policy.consent)
    execution = _Execution(run, fleet, journal, store, policy, digest_of_packages)
    finished = execution.go_through_waves()
    outcome = Outcome(run.id, execution.failed, finished)
    if outcome.succeeded:
        _forget_jobs(run, fleet)
    good = _judged(run, journal, judge) if outcome.succeeded and judge else True
    journal.append(run.id, "run_ended", text=_ending(outcome, policy) if good else DIFFERS)
    return outcome


@dataclass(slots=True)
class _Execution:
    """The state of one execution: the run as it was found, and who failed since."""

    run: Run
    fleet: Fleet
    journal: Journal
    store: Store
    policy: Policy
    digest_of_packages: Callable[[Host], str]
    failed: dict[str, Exception] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    begun: dict[Place, Step | None] = field(init=False)
    captures: dict[str, Step] = field(init=False)
    done: frozenset[Place] = field(init=False)

    def __post_init__(self) -> None:
        self.begun, self.done = self.run.started, self.run.done
        self.captures = {name: restore for name, (_, restore) in self.run.captures.items()}

    def go_through_waves(self) -> bool:
        """True when every wave was gone through, False when the run was closed before."""
        closed_before = {e.wave for e in self.run.events if e.what == "wave_closed"}
        gone_through = 0
        for number, wave in enumerate(self.run.plan.waves):
            if number in closed_before:
                continue
            self._go_through(number, wave)
            gone_through += 1
            if self._closes(gone_through):
                return self._all_done(number)
        return True

    def _closes(self, gone_through: int) -> bool:
        """Whether no further wave may begin."""
        own = sum(not isinstance(error, HeldBack) for error in self.failed.values())
        too_many = 0 < self.policy.max_fail <= own
        return too_many or self.policy.stopping.is_set() or gone_through == self.policy.stop_after

    def _all_done(self, number: int) -> bool:
        return number == len(self.run.plan.waves) - 1 and not self.policy.stopping.is_set()

    def _go_through(self, number: int, wave: Wave) -> None:
        self.journal.append(self.run.id, "wave_opened", wave=number, text=wave.name)
        for group in wave.together:
            self._hold_back(number, group)
        self._each(number, wave.work, self._work)
        if not self.policy.stopping.is_set():
            self._each(number, wave.gates, self._check)
            if not self.failed.keys() & wave.concerned:
                self.journal.append(self.run.id, "wave_closed", wave=number, text=wave.name)

    def _hold_back(self, number: int, group: Sequence[str]) -> None:
        """Afterwards nobody of `group` goes on where one of it failed."""
        lost = ", ".join(host for host in group if host in self.failed)
        for host in group if lost else ():
            if host not in self.failed:
                self.failed[host] = HeldBack(f"{host}: not gone on with, for it shares data with {lost}, which failed")
                self._note(number, host, self.failed[host])

    def _each(self, number: int, work: Sequence[Work], act: Callable[[int, Work, Host], None]) -> None:
        by_host = {one.host: one for one in work if one.host not in self.failed}
        if not by_host:
            return
        results = self.fleet.each(tuple(by_host), lambda host: act(number, by_host[host.name], host))
        for name, result in results.items():
            if isinstance(result, Exception) and not isinstance(result, Stopping):
                self.failed[name] = result
                self._note(number, name, result)

    def _note(self, number: int, host: str, error: Exception) -> None:
        """A failure outside of any step (unreachable, drift) has no event yet."""
        if not getattr(error, "journalled", False):
            self.journal.append(self.run.id, "host_failed", wave=number, host=host, error=in_words(error))

    def _work(self, number: int, work: Work, host: Host) -> None:
        self._settle(host)
        self._refuse_drift(number, work, host)
        for index, step in enumerate(work.steps):
            if Place(number, work.host, index) not in self.done:
                if self.policy.stopping.is_set():
                    raise Stopping("asked to stop")
                self._take(step, Place(number, work.host, index), host)

    def _settle(self, host: Host) -> None:
        """What the dead controller of a run left running there must end first: it would go on over what is undone here."""
        if self.run.parent and host.name not in self.settled:
            host.follow(f"{self.run.parent}.")
            self.settled.add(host.name)

    def _refuse_drift(self, number: int, work: Work, host: Host) -> None:
        untouched = not any(place.host == work.host and place.wave == number for place in self.begun)
        if work.assumes and untouched and self.digest_of_packages(host) != work.assumes:
            raise Drift(
                f"{work.host}: the packages are not what they were when the plan was made",
                hint="look at what changed, and plan again",
            )

    def _take(self, step: Step, place: Place, host: Host) -> None:
        """Observe, journal durably, apply, journal: the heart of it all."""
        where = {"wave": place.wave, "host": place.host, "index": place.index, "text": step.describe()}
        site = _scoped(host, f"{self.run.id}.{place.wave}.{place.index}.")
        step = step.knowing(self.captures)
        try:
            before = self.begun[place] if place in self.begun else step.observe(site, self.store)
            self.journal.append(self.run.id, "step_started", before=before, **where)
            if step.capture and before is not None:
                self.captures.setdefault(step.capture, before)
            told = step.apply(site, self.store)
        except Exception as error:
            self.journal.append(self.run.id, "step_failed", error=in_words(error), **where)
            error.journalled = True  # type: ignore[attr-defined]
            if not isinstance(error, Unreachable):
                # What a job did was not enough: the next attempt must not take its success for granted.
                site.forget("")
            raise
        self.journal.append(
            self.run.id, "step_done", **where | {"text": f"{step.describe()}{f' ({told})' * bool(told)}"}
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
    """A host whose jobs carry the name of the run and step they belong to, so that a later controller finds them again."""

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
    """Nobody will ask again for the jobs of a run that is over, nor of the run that it undid."""
    prefixes = [f"{one}." for one in (run.id, run.parent) if one]

    def forget(host: Host) -> None:
        for prefix in prefixes:
            host.forget(prefix)

    fleet.each(run.plan.hosts, forget)


def in_words(error: Exception) -> str:
    """A failure as events carry it: its reference, then its message, without the passwords that a command may have printed."""
    if isinstance(error, Failure):
        return masked(f"{error.reference}: {error.message}")
    return masked(f"bug: {type(error).__name__}: {error}")


def _require_consent(run: Run, consent: frozenset[str]) -> None:
    done = run.done
    for number, wave in enumerate(run.plan.waves):
        for work in wave.work:
            for index, step in enumerate(work.steps):
                ahead = Place(number, work.host, index) not in done
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

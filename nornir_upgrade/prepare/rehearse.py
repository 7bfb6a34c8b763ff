"""Rehearsal: the package transactions of a plan, run on a throw-away layer of each host before the host is changed.

A layer takes the place of its host: the steps and commands are those of the plan. Only repositories and packages are rehearsed.
On a layer no service and no database runs, and the plan's configuration is not written.
"""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nornir_upgrade.console import signals
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.text import in_bytes, printable
from nornir_upgrade.core.errors import Blocked, Failure, InvalidInput, StateDiffers, TimedOut, Unreachable
from nornir_upgrade.core.escrow.prefetch import prefetch
from nornir_upgrade.core.filesystem import layer, layer_plan
from nornir_upgrade.core.filesystem.layer import Ground, Layer
from nornir_upgrade.core.packaging.family import Family
from nornir_upgrade.core.packaging.model import Package, by_key
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.remote import RemoteHost
from nornir_upgrade.finding import Finding, some
from nornir_upgrade.planner.reversibility import Reversibility
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet

_WITHOUT = "or leave --rehearse out"


@dataclass(frozen=True, slots=True)
class HostRehearsal:
    """The `steps` to rehearse on a host, in the plan's order. With `back` they are undone afterwards; else `why` says why not."""

    steps: tuple[Step, ...]
    back: bool = True
    why: str = ""

    @property
    def manager(self) -> str:
        return next(step.manager for step in self.steps if isinstance(step, SetPackages))


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The result on a host: the number of changed `packages`, or a `finding` that blocks the plan."""

    host: str
    packages: int = 0
    back: bool = True
    why: str = ""
    finding: Finding | None = None

    def __str__(self) -> str:
        if self.finding:
            return f"{self.host}: {self.finding.text}"
        ways = " forward and back" if self.back else ""
        result = f"{self.host}: rehearsed: {self.packages} packages{ways}, 0 problems"
        return result + (f"; {self.why}" if self.why else "")


def host_rehearsals(plan: Plan, forward_only: Mapping[str, str] | None = None) -> dict[str, HostRehearsal]:
    """The rehearsal of every host whose packages `plan` changes.

    `forward_only`: the hosts on which the way back is not rehearsed, with the reason.
    """
    steps: dict[str, list[Step]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetRepository | SetPackages):
            steps.setdefault(host, []).append(step)
    reasons = forward_only or {}
    return {
        host: HostRehearsal(tuple(its), host not in reasons, reasons.get(host, ""))
        for host, its in steps.items()
        if any(isinstance(step, SetPackages) for step in its)
    }


def without_way_back(proofs: Iterable[Reversibility], *, keeping: bool = True) -> dict[str, str]:
    """The hosts on which the way back is not rehearsed, with the reason. `keeping`: the old packages that it needs are kept."""
    none = "the way back was not rehearsed: there is none"
    reasons = {proof.host: none for proof in proofs if proof.verdict == "no way back"}
    if not keeping:
        later = "the way back was not rehearsed: a run keeps old packages for it first"
        reasons |= {proof.host: later for proof in proofs if proof.to_keep}
    return reasons


def rehearse_or_refuse(
    fleet: "NornirFleet", plan: Plan, store: Store, screen: Screen, *, forward_only: Mapping[str, str] | None = None
) -> None:
    """Afterwards every host whose packages `plan` changes has rehearsed it, and each result is on stderr. No layer is left.

    Raises `Blocked` naming every finding, `Unreachable`, and `SystemExit` for a signal.
    """
    due = host_rehearsals(plan, forward_only)
    results = rehearse(fleet, due, store, screen) if due else ()
    for result in results:
        if not result.finding:
            screen.note(str(result))
    _refuse_findings(results)


def rehearse(
    fleet: "NornirFleet", due: Mapping[str, HostRehearsal], store: Store, screen: Screen
) -> tuple[Rehearsal, ...]:
    """The result of each host in `due`. The first signal ends all rehearsals, the second ends this process."""
    screen.note(
        f"Rehearsing on throw-away layers of {len(due)} hosts: packages only; no service or database runs there"
    )
    names, stopping = tuple(due), threading.Event()

    def stop() -> None:
        stopping.set()
        screen.warn(
            "Stopping the rehearsal and removing its layers. A second signal leaves the layers to end by themselves."
        )
        fleet.each(names, layer.clear)

    with signals.on_signals(stop, os._exit) as heard:
        answers = fleet.each(names, lambda host: _Stage(due[host.name], store, stopping).rehearse(host))
    if heard.number:
        raise SystemExit(heard.exit_code)
    return tuple(_result(answer) for answer in answers.values())


def _refuse_findings(results: Iterable[Rehearsal]) -> None:
    lines = [
        f"{finding.word}: {finding.host}: {printable(finding.text)} [{finding.key}]\n    {printable(finding.remedy)}"
        for finding in (result.finding for result in results)
        if finding
    ]
    if lines:
        raise Blocked("the rehearsal found what must be mended first\n" + "\n".join(lines), hint="nothing was changed")


def _result(answer: Rehearsal | Exception) -> Rehearsal:
    if isinstance(answer, Exception):
        raise answer
    return answer


@dataclass(frozen=True, slots=True)
class _Stage:
    """The rehearsal of one host. It ends early if `stopping` is set."""

    due: HostRehearsal
    store: Store
    stopping: threading.Event

    def rehearse(self, host: Host) -> Rehearsal:
        if not isinstance(host, RemoteHost):
            return _impossible(host, "its connection carries no commands into a layer")
        self._family.transactions.wait_for_lock(host)
        try:
            ground = layer.survey(host, self._family.probe.BYTES)
            need = _bytes_needed(self.due, ground, self._present(host))
            places = layer_plan.roomy(ground.places, need)
            if not places:
                return _impossible(host, _too_little(ground, need))
            with layer.opened(host, ground, places) as stage:
                return self._run_steps(stage)
        except InvalidInput as refusal:
            return _impossible(host, refusal.message)

    def _run_steps(self, stage: Layer) -> Rehearsal:
        """The result of the steps, forward and back. The first step that fails ends it."""
        before, audit = self._present(stage), self._family.transactions.audit(stage)
        way = "forward"
        try:
            undo = [self._apply(step, stage) for step in self.due.steps]
            changed = _differing(before, self._present(stage))
            if self.due.back:
                way = "back"
                for step in filter(None, reversed(undo)):
                    self._apply(step, stage)
                _refuse_differing(before, self._present(stage))
            _refuse_broken(audit, self._family.transactions.audit(stage))
        except (Unreachable, TimedOut):
            raise
        except Failure as failure:
            return _failed(stage, way, failure)
        return Rehearsal(stage.name, len(changed), self.due.back, self.due.why)

    def _apply(self, step: Step, stage: Layer) -> Step | None:
        """The undo of `step`. Afterwards `step` is applied as by the engine; only downloads have a network, maintainer scripts not."""
        if self.stopping.is_set():
            raise InvalidInput("the rehearsal was interrupted")
        before = step.observe(stage, self.store)
        if isinstance(step, SetPackages):
            prefetch(stage.online(), self.store, step.manager, step.want, downgrade=step.downgrade)
            with family_of(step.manager).delivery.offline(stage):
                step.apply(stage, self.store)
        else:
            step.apply(stage.online(), self.store)
        return before

    @property
    def _family(self) -> Family:
        return family_of(self.due.manager)

    def _present(self, host: Host) -> tuple[Package, ...]:
        return self._family.present(host)


def _too_little(ground: Ground, need: int) -> str:
    largest = max(ground.places, key=lambda place: place.free)
    return f"too little room: by estimate {in_bytes(need)} are needed, {largest} has {in_bytes(largest.free)} free"


def _bytes_needed(due: HostRehearsal, ground: Ground, present: Sequence[Package]) -> int:
    wanted = {(want.name, want.arch) for step in due.steps if isinstance(step, SetPackages) for want in step.want}
    unpacked = {(package.name, package.arch) for package in present if package.unpacked}
    return layer_plan.needed(wanted & unpacked, len(wanted - unpacked), ground.sizes)


def _refuse_differing(before: Sequence[Package], after: Sequence[Package]) -> None:
    if differing := _differing(before, after):
        raise StateDiffers(f"afterwards these packages are not as before: {some(differing)}")


def _refuse_broken(before: str, after: str) -> None:
    if after and after != before:
        raise StateDiffers(f"afterwards packages are not whole: {after}")


def _differing(before: Sequence[Package], after: Sequence[Package]) -> list[str]:
    """The packages that differ between `before` and `after`."""
    then, now = by_key(before), by_key(after)
    return sorted(str(key) for key in then.keys() | now.keys() if then.get(key) != now.get(key))


def _failed(stage: Layer, way: str, failure: Failure) -> Rehearsal:
    text = f"the rehearsal failed on the way {way}: {failure.message}"
    remedy = "mend the package that failed, or leave it out; nothing on the host was changed"
    return Rehearsal(stage.name, finding=Finding("rehearsal-failed", stage.name, "blocking", text, remedy))


def _impossible(host: Host, why: str) -> Rehearsal:
    text = f"it cannot be rehearsed on this host: {why}"
    remedy = f"make it possible there, {_WITHOUT}"
    return Rehearsal(host.name, finding=Finding("rehearsal-impossible", host.name, "blocking", text, remedy))

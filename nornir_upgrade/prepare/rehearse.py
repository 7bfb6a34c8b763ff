"""Rehearsing: the package transactions of a plan, carried out on a throw-away layer of each host before the host is touched.

The steps are the plan's own, and so are the commands that they run: a layer is used as the host itself. Only repositories and packages
are rehearsed: no service runs there, no database, and no configuration of the plan is written.
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
    """What is rehearsed on a host: `steps` in the plan's order, and `back` whether they are undone afterwards; `why` not, else."""

    steps: tuple[Step, ...]
    back: bool = True
    why: str = ""

    @property
    def manager(self) -> str:
        return next(step.manager for step in self.steps if isinstance(step, SetPackages))


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it on a host: how many packages changed, or what stands against the plan."""

    host: str
    packages: int = 0
    back: bool = True
    why: str = ""
    finding: Finding | None = None

    def __str__(self) -> str:
        if self.finding:
            return f"{self.host}: {self.finding.text}"
        ways = " forward and back" if self.back else ""
        told = f"{self.host}: rehearsed: {self.packages} packages{ways}, 0 problems"
        return told + (f"; {self.why}" if self.why else "")


def parts(plan: Plan, forward_only: Mapping[str, str] | None = None) -> dict[str, HostRehearsal]:
    """What is to be rehearsed, by host: every host whose packages `plan` changes. `forward_only`: on which hosts the way back is not
    rehearsed, and why."""
    steps: dict[str, list[Step]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetRepository | SetPackages):
            steps.setdefault(host, []).append(step)
    only = forward_only or {}
    changing = {host: found for host, found in steps.items() if any(isinstance(one, SetPackages) for one in found)}
    return {host: HostRehearsal(tuple(found), host not in only, only.get(host, "")) for host, found in changing.items()}


def without_way_back(proofs: Iterable[Reversibility], *, keeping: bool = True) -> dict[str, str]:
    """On which hosts the way back is not rehearsed, and why. `keeping`: what it needs of old packages was kept by now."""
    found = {
        one.host: "the way back was not rehearsed: there is none" for one in proofs if one.verdict == "no way back"
    }
    if not keeping:
        later = "the way back was not rehearsed: a run keeps old packages for it first"
        found |= {one.host: later for one in proofs if one.to_keep}
    return found


def rehearse_or_refuse(
    fleet: "NornirFleet", plan: Plan, store: Store, screen: Screen, *, forward_only: Mapping[str, str] | None = None
) -> None:
    """Returns when every host whose packages `plan` changes has rehearsed it, and tells of each. Nothing of it is left on a host.

    Raises `Blocked` naming what was found, `Unreachable`, and `SystemExit` for a signal.
    """
    due = parts(plan, forward_only)
    found = rehearse(fleet, due, store, screen) if due else ()
    for one in found:
        if not one.finding:
            screen.note(str(one))
    _refuse_problems(found)


def rehearse(
    fleet: "NornirFleet", due: Mapping[str, HostRehearsal], store: Store, screen: Screen
) -> tuple[Rehearsal, ...]:
    """What the rehearsal on each host came to. The first signal ends all of them, the second this process."""
    screen.note(
        f"Rehearsing on throw-away layers of {len(due)} hosts: packages only; no service or database runs there"
    )
    names, stopping = tuple(due), threading.Event()

    def stop() -> None:
        stopping.set()
        screen.warn("Stopping the rehearsal: its layers are removed. Once more leaves them to end by themselves.")
        fleet.each(names, layer.clear)

    with signals.listening(stop, os._exit) as heard:
        answers = fleet.each(names, lambda host: _Stage(due[host.name], store, stopping).rehearse(host))
    if heard.number:
        raise SystemExit(heard.exit_code)
    return tuple(_answered(answer) for answer in answers.values())


def _refuse_problems(found: Iterable[Rehearsal]) -> None:
    lines = [
        f"{one.word}: {one.host}: {printable(one.text)} [{one.key}]\n    {printable(one.remedy)}"
        for one in (rehearsal.finding for rehearsal in found)
        if one
    ]
    if lines:
        raise Blocked("the rehearsal found what must be mended first\n" + "\n".join(lines), hint="nothing was changed")


def _answered(answer: Rehearsal | Exception) -> Rehearsal:
    if isinstance(answer, Exception):
        raise answer
    return answer


@dataclass(frozen=True, slots=True)
class _Stage:
    """One host's part, rehearsed until it is done or `stopping` is set."""

    part: HostRehearsal
    store: Store
    stopping: threading.Event

    def rehearse(self, host: Host) -> Rehearsal:
        if not isinstance(host, RemoteHost):
            return _impossible(host, "its connection carries no commands into a layer")
        self._family.transactions.wait_for_lock(host)
        try:
            ground = layer.survey(host, self._family.probe.BYTES)
            need = _need(self.part, ground, self._present(host))
            places = layer_plan.roomy(ground.places, need)
            if not places:
                return _impossible(host, _too_little(ground, need))
            with layer.opened(host, ground, places) as stage:
                return self._carried_out(stage)
        except InvalidInput as refusal:
            return _impossible(host, refusal.message)

    def _carried_out(self, stage: Layer) -> Rehearsal:
        """There, and back. The first step that fails ends it."""
        before, audit = self._present(stage), self._family.transactions.audit(stage)
        way = "forward"
        try:
            undo = [self._done(step, stage) for step in self.part.steps]
            changed = _differing(before, self._present(stage))
            if self.part.back:
                way = "back"
                for was in reversed(undo):
                    if was:
                        self._done(was, stage)
                _compare(before, self._present(stage))
            _whole(audit, self._family.transactions.audit(stage))
        except (Unreachable, TimedOut):
            raise
        except Failure as failure:
            return _failed(stage, way, failure)
        return Rehearsal(stage.name, len(changed), self.part.back, self.part.why)

    def _done(self, step: Step, stage: Layer) -> Step | None:
        """What undoes `step`, which was done as the engine would. What is downloaded comes over the network; maintainer scripts have
        none."""
        if self.stopping.is_set():
            raise InvalidInput("the rehearsal was interrupted")
        undo = step.observe(stage, self.store)
        if isinstance(step, SetPackages):
            prefetch(stage.online(), self.store, step.manager, step.want, downgrade=step.downgrade)
            with family_of(step.manager).delivery.offline(stage):
                step.apply(stage, self.store)
        else:
            step.apply(stage.online(), self.store)
        return undo

    @property
    def _family(self) -> Family:
        return family_of(self.part.manager)

    def _present(self, host: Host) -> tuple[Package, ...]:
        return self._family.present(host)


def _too_little(ground: Ground, need: int) -> str:
    most = max(ground.places, key=lambda one: one.free)
    return f"too little room: by estimate {in_bytes(need)} are needed, {most} has {in_bytes(most.free)} free"


def _need(part: HostRehearsal, ground: Ground, present: Sequence[Package]) -> int:
    named = {(one.name, one.arch) for step in part.steps if isinstance(step, SetPackages) for one in step.want}
    there = {(one.name, one.arch) for one in present if one.unpacked}
    return layer_plan.needed(named & there, len(named - there), ground.sizes)


def _compare(before: Sequence[Package], after: Sequence[Package]) -> None:
    if left := _differing(before, after):
        raise StateDiffers(f"afterwards these packages are not as before: {some(left)}")


def _whole(before: str, after: str) -> None:
    if after and after != before:
        raise StateDiffers(f"afterwards packages are not whole: {after}")


def _differing(before: Sequence[Package], after: Sequence[Package]) -> list[str]:
    """The packages that are not in both alike."""
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

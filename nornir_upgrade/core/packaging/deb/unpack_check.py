"""Unpack check: an order of unpacking is checked against the rules of dpkg and the vital set, action by action. Pure.

The check knows nothing of how orders are made (`unpack_order`). It replays the actions. After each action it checks that all
dependencies of the vital set are unpacked. A relation counts until its package is replaced: `libc6 (>= 2.38)` of a newer program
prevents an older libc6 from being unpacked too early.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .dependencies import DebPackage, Demand
from .rules import excluded, satisfies
from .transition import Action, DebProviders, Slot, Transition
from .vital import LOADER, protected

Rule = Literal["gap", "broken", "refused", "unfinished"]
"""`gap`: a lockstep is half exchanged, which no order avoids. `broken`: something vital lacks what it depends on, and need not.
`refused`: dpkg would not do it. `unfinished`: the actions lead somewhere else."""


@dataclass(frozen=True, slots=True)
class UnpackFault:
    """What is wrong after action `at` (from 1)."""

    rule: Rule
    at: int
    text: str

    def __str__(self) -> str:
        return f"action {self.at}: {self.text}"


def check(
    transition: Transition, actions: Sequence[Action], locksteps: Collection[frozenset[Slot]] = ()
) -> tuple[UnpackFault, ...]:
    """All that is wrong with `actions`, in order. What is false only between two exchanges of one of `locksteps` that follow each
    other is a `gap`; for the C library and its like there are no gaps."""
    play = _Play(transition, tuple(locksteps))
    for action in actions:
        play.do(action)
    play.end()
    return tuple(play.faults)


def safe(faults: Iterable[UnpackFault]) -> bool:
    """Whether an order with these faults keeps the host usable at every moment."""
    return all(fault.rule == "gap" for fault in faults)


@dataclass(slots=True)
class _Play:
    transition: Transition
    locksteps: tuple[frozenset[Slot], ...]
    faults: list[UnpackFault] = field(default_factory=list)
    at: int = 0
    there: dict[Slot, DebPackage] = field(default_factory=dict)
    configured: dict[Slot, str] = field(default_factory=dict)
    """The version that each slot was last configured at."""
    pending: set[Slot] = field(default_factory=set)
    """Slots that have to be configured still."""
    offers: DebProviders = field(init=False)
    vital: frozenset[Slot] = field(init=False)
    asking: dict[str, set[Slot]] = field(default_factory=dict)
    """Vital slots by the names that their demands are about."""
    excluding: dict[tuple[str, str], list[tuple[DebPackage, Demand]]] = field(default_factory=dict)
    """Versions that exclude others, by field and by the name that they exclude."""
    lacking: dict[tuple[Slot, str], Demand] = field(default_factory=dict)
    current: frozenset[Slot] = frozenset()
    """The lockstep that the last exchange belongs to."""
    lacked: frozenset[tuple[Slot, str]] = frozenset()
    """What was lacking from the start, which is nobody's fault here."""

    def __post_init__(self) -> None:
        self.there = dict(self.transition.before)
        self.offers = DebProviders(self.there.values(), self.transition.native)
        self.vital = protected(self.transition)
        self.configured = {slot: self.there[slot].version for slot in self.transition.ready}
        self.pending = self.there.keys() - self.transition.ready
        for world in (self.transition.before, self.transition.after):
            for slot in self.vital & world.keys():
                for name in _asked(world[slot]):
                    self.asking.setdefault(name, set()).add(slot)
            for deb in world.values():
                for demand in deb.excludes:
                    self.excluding.setdefault((demand.field, demand.relations[0].name), []).append((deb, demand))
        self.lacking = {key: demand for slot in self.vital for key, demand in self._lacks(slot)}
        self.lacked = frozenset((slot, str(demand)) for (slot, _), demand in self.lacking.items())

    def do(self, action: Action) -> None:
        self.at += 1
        slot = self.transition.slot(action.deb)
        if action.act == "Configure":
            self._configure(slot, action)
            return
        self._enter(slot)
        if action.act == "Unpack":
            self._may_unpack(slot, action.deb)
            self._put(slot, action.deb)
            self.pending.add(slot)
        else:
            self._put(slot, None)
            self.pending.discard(slot)
            self.configured.pop(slot, None)
        self._look(slot)

    def end(self) -> None:
        if self.there != dict(self.transition.after):
            wrong = sorted(
                str(slot)
                for slot in self.there.keys() | self.transition.after.keys()
                if self.there.get(slot) != self.transition.after.get(slot)
            )
            self._fault("unfinished", f"not as wanted at the end: {', '.join(wrong)}")
        if self.pending:
            self._fault("unfinished", f"not configured at the end: {', '.join(sorted(map(str, self.pending)))}")
        for (slot, _), demand in self.lacking.items():
            if (slot, str(demand)) not in self.lacked:
                self._fault("broken", f"{self.there[slot]} lacks {demand} at the end")

    # ------------------------------------------------------------------ the world

    def _put(self, slot: Slot, new: DebPackage | None) -> None:
        if old := self.there.pop(slot, None):
            self.offers.drop(old)
        if new:
            self.there[slot] = new
            self.offers.add(new)

    def _enter(self, slot: Slot) -> None:
        """A lockstep is left by an exchange outside it: what is lacking then is a gap no more."""
        if slot not in self.current:
            for (owner, _), demand in self.lacking.items():
                if (owner, str(demand)) not in self.lacked:
                    self._fault("broken", f"{self.there[owner]} still lacks {demand}")
            self.current = next((group for group in self.locksteps if slot in group), frozenset((slot,)))

    def _look(self, slot: Slot) -> None:
        """Ask those again that may have asked for what was in `slot`, or stand in it."""
        versions = [world[slot] for world in (self.transition.before, self.transition.after) if slot in world]
        names = {name for deb in versions for name in (deb.name, *(provided.name for provided in deb.provides))}
        for owner in {slot} & self.vital | {asker for name in names for asker in self.asking.get(name, ())}:
            self._ask(owner)

    def _ask(self, owner: Slot) -> None:
        now = dict(self._lacks(owner))
        for key in [key for key in self.lacking if key[0] == owner and key not in now]:
            del self.lacking[key]
        for key, demand in now.items():
            if key not in self.lacking:
                self.lacking[key] = demand
                if key not in self.lacked:
                    loader = any(relation.name in LOADER for relation in demand.relations) and not _exact(demand)
                    rule: Rule = "broken" if loader or len(self.current) == 1 else "gap"
                    self._fault(rule, f"{self.there[owner]} lacks {demand}")

    def _lacks(self, slot: Slot) -> Iterable[tuple[tuple[Slot, str], Demand]]:
        deb = self.there.get(slot)
        if deb is None:
            return
        for demand in deb.depends:
            if not any(True for _ in self.offers.satisfying(demand, deb)):
                yield (slot, str(demand)), demand

    # ------------------------------------------------------------------ what dpkg would refuse

    def _may_unpack(self, slot: Slot, deb: DebPackage) -> None:
        """dpkg(1): what it pre-depends on is configured, or was once at a version that does (Policy 7.2); nothing conflicts."""
        for demand in deb.depends:
            if demand.field == "Pre-Depends" and not any(
                self._was_configured(satisfier, demand, deb) for satisfier in self.offers.satisfying(demand, deb)
            ):
                self._fault("refused", f"{deb} pre-depends on {demand}, which is not configured")
        for other in self._conflicting(slot, deb, "Conflicts"):
            self._fault("refused", f"{deb} conflicts with {other}")

    def _was_configured(self, offered: DebPackage, demand: Demand, owner: DebPackage) -> bool:
        """Of what is unpacked alone, the version that was configured counts too, if it is asked for by its own name."""
        slot = self.transition.slot(offered)
        version = self.configured.get(slot)
        if version is None or slot not in self.pending:
            return version is not None
        then = DebPackage(offered.name, offered.arch, version, offered.multi_arch)
        native = self.transition.native
        return any(
            relation.name == offered.name and satisfies(then, relation, owner, native) for relation in demand.relations
        )

    def _configure(self, slot: Slot, action: Action) -> None:
        """dpkg(1) configures what is unpacked, whose dependencies are, and which nothing breaks. Circles are its own affair."""
        deb = self.there.get(slot)
        if deb != action.deb:
            self._fault("refused", f"{action.deb} is not unpacked")
            return
        for demand in deb.depends:
            if not any(True for _ in self.offers.satisfying(demand, deb)):
                self._fault("refused", f"{deb} cannot be configured without {demand}")
        for other in self._conflicting(slot, deb, "Breaks"):
            self._fault("refused", f"{deb} cannot be configured beside {other}")
        self.pending.discard(slot)
        self.configured[slot] = deb.version

    def _conflicting(self, slot: Slot, deb: DebPackage, field: str) -> Iterable[DebPackage]:
        native = self.transition.native
        for demand in deb.excludes:
            if demand.field == field:
                relation = demand.relations[0]
                for other in self.offers.named(relation.name):
                    if self.transition.slot(other) != slot and excluded(other, relation, deb, native):
                        yield other
        for name in (deb.name, *(provided.name for provided in deb.provides)):
            for other, demand in self.excluding.get((field, name), ()):
                place = self.transition.slot(other)
                here = place != slot and self.there.get(place) == other
                if here and excluded(deb, demand.relations[0], other, native):
                    yield other

    def _fault(self, rule: Rule, text: str) -> None:
        self.faults.append(UnpackFault(rule, self.at, text))


def _asked(deb: DebPackage) -> set[str]:
    return {relation.name for demand in deb.depends for relation in demand.relations}


def _exact(demand: Demand) -> bool:
    """Whether it couples two packages of one source: a library that only programs are in lockstep with has no such bound."""
    return any(relation.op in ("=", "<<", "<=") for relation in demand.relations) or any(
        relation.op == ">>" for relation in demand.relations
    )

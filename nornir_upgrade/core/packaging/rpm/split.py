"""Split: a change of rpm packages in as many transactions as keep the host usable; one transaction if that suffices. Pure.

If a library is downgraded, its users change first, in a transaction of their own. If a library is upgraded and rpm might install
a user before it, the library changes first. After each transaction every installed package has what it requires, as rpm demands.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from nornir_upgrade.core.packaging.graph import components

from .check import OrderFault, Pair, check, safe
from .dependencies import RpmPackage, names_in
from .rich_dependencies import Capability, Dependency
from .rules import obsoleted
from .transition import RpmProviders, RpmTransition, Slot, single
from .vital import LOADER


@dataclass(frozen=True, slots=True)
class Split:
    """The slots that change, in `parts` that are a transaction each. `faults`: why no split is known that is safe. `gaps`: what may
    be lacking for a moment between packages that can only change together."""

    parts: tuple[frozenset[Slot], ...]
    faults: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


def split(change: RpmTransition) -> Split:
    """The fewest transactions that are known to be safe."""
    parts: tuple[frozenset[Slot], ...] = (change.changing,)
    known = _broken(change, parts)
    if not known:
        return Split(parts)
    near, apart = _Near(change).pairs(), frozenset[Pair]()
    together = _together(change, near)
    while wanted := {pair for fault in known for pair in fault.apart if pair not in apart | together}:
        apart |= wanted
        parts = _parts(change, near, apart)
        known = _broken(change, parts)
    gaps = [fault for fault in known if _unavoidable(fault, together)]
    reasons = [str(fault) for fault in known if fault not in gaps] or list(_lacking(change, parts))
    return Split(parts, tuple(reasons), tuple(map(str, gaps)))


def _together(change: RpmTransition, near: frozenset[Pair]) -> frozenset[Pair]:
    """The pairs that no transaction can part: of both, one may not change later than the other."""
    groups = components(change.changing, _earlier(near))
    return frozenset((slot, other) for group in groups if len(group) > 1 for slot in group for other in group)


def _unavoidable(fault: OrderFault, together: frozenset[Pair]) -> bool:
    """Whether it is between packages that change together. Without the C library nothing starts: that may be lacking at no moment."""
    loader = any(slot.name in LOADER for pair in fault.apart for slot in pair)
    return bool(fault.apart) and not loader and together.issuperset(fault.apart)


def stages(change: RpmTransition, parts: Sequence[frozenset[Slot]]) -> Iterator[RpmTransition]:
    """The change that each transaction makes."""
    there = dict(change.before)
    for part in parts:
        then = {slot: rpm for slot, rpm in there.items() if slot not in part}
        then.update((slot, change.after[slot]) for slot in part if slot in change.after)
        yield RpmTransition(there, then)
        there = then


def _broken(change: RpmTransition, parts: Sequence[frozenset[Slot]]) -> list[OrderFault]:
    return [fault for stage in stages(change, parts) for fault in check(stage) if not safe((fault,))]


def _lacking(change: RpmTransition, parts: Sequence[frozenset[Slot]]) -> Iterator[str]:
    """What something lacks between two transactions that it has both before and after the change."""
    steady = [(world, RpmProviders(world)) for world in (change.before, change.after)]
    for stage in list(stages(change, parts))[:-1]:
        offers = RpmProviders(stage.after)
        for slot, rpm in stage.after.items():
            for demand in rpm.requires:
                had = any(world.get(slot) == rpm and whole.met(demand) for world, whole in steady)
                if had and not offers.met(demand):
                    yield f"{rpm} would lack {demand} between two transactions"
            for clash in rpm.conflicts:
                had = any(world.get(slot) == rpm and _clashes(slot, clash, whole) for world, whole in steady)
                if not had and _clashes(slot, clash, offers):
                    yield f"{rpm} would conflict with {clash} between two transactions"


def _clashes(slot: Slot, clash: Dependency, offers: RpmProviders) -> bool:
    return bool(offers.meeting(clash) - {slot}) if isinstance(clash, Capability) else offers.met(clash)


# ---------------------------------------------------------------------- levels


def _parts(change: RpmTransition, near: frozenset[Pair], apart: frozenset[Pair]) -> tuple[frozenset[Slot], ...]:
    """The slots by the earliest transaction that is late enough. Where `apart` contradicts `near`, the slots stay together."""
    earlier = _earlier(near | apart)
    level: dict[Slot, int] = {}
    for group in components(change.changing, earlier):
        before = [
            level[other] + ((other, slot) in apart)
            for slot in group
            for other in earlier.get(slot, ())
            if other not in group
        ]
        level.update(dict.fromkeys(group, max(before, default=0)))
    return tuple(frozenset(slot for slot in level if level[slot] == at) for at in sorted(set(level.values())))


def _earlier(pairs: Iterable[Pair]) -> dict[Slot, set[Slot]]:
    earlier: dict[Slot, set[Slot]] = {}
    for slot, other in pairs:
        earlier.setdefault(other, set()).add(slot)
    return earlier


@dataclass(slots=True)
class _Near:
    """Which slot may not change in a later transaction than which other, so that each state between stands."""

    change: RpmTransition
    before: RpmProviders = field(init=False)
    after: RpmProviders = field(init=False)
    found: set[Pair] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.before, self.after = RpmProviders(self.change.before), RpmProviders(self.change.after)

    def pairs(self) -> frozenset[Pair]:
        """(one, other): one changes no later than the other."""
        for slot, rpm in self.change.before.items():
            for demand in rpm.requires:
                self._required(slot, demand, old=True)
        for slot, rpm in self.change.after.items():
            for demand in rpm.requires:
                self._required(slot, demand, old=False)
        self._excluded()
        self._named_alike()
        return frozenset(self.found)

    def _put(self, slot: Slot, other: Slot) -> None:
        if slot != other and {slot, other} <= self.change.changing:
            self.found.add((slot, other))

    def _tie(self, slots: Iterable[Slot]) -> None:
        """They change together."""
        several = sorted(set(slots) & self.change.changing)
        for slot, other in pairwise(several):
            self._put(slot, other)
            self._put(other, slot)

    def _required(self, slot: Slot, demand: Dependency, *, old: bool) -> None:
        terms = list(single(demand))
        for term in terms:
            self._met(slot, self.before.meeting(term), self.after.meeting(term), old=old)
        if not terms:
            offers = (self.before, self.after)
            self._tie(
                (slot, *(provider for name in names_in(demand) for world in offers for provider in world.named(name)))
            )

    def _met(self, slot: Slot, olds: frozenset[Slot], news: frozenset[Slot], *, old: bool) -> None:
        if olds & news or (olds | news) - self.change.changing:
            return
        if news and olds:
            for provider in olds:
                self._put(min(news), provider)
        elif old:
            for provider in olds:
                self._put(slot, provider)
        elif news:
            self._put(min(news), slot)

    def _excluded(self) -> None:
        """What excludes another goes before that comes, or comes after that went."""
        for slot, rpm in self.change.after.items():
            for other in self._clashing(slot, rpm, self.before):
                self._put(other, slot)
            self._tie_obsoleted(slot, rpm, self.before)
        for slot, rpm in self.change.before.items():
            for other in self._clashing(slot, rpm, self.after):
                self._put(slot, other)
            self._tie_obsoleted(slot, rpm, self.after)

    def _clashing(self, slot: Slot, rpm: RpmPackage, offers: RpmProviders) -> frozenset[Slot]:
        return frozenset(provider for clash in rpm.conflicts for provider in offers.meeting(clash)) - {slot}

    def _tie_obsoleted(self, slot: Slot, rpm: RpmPackage, offers: RpmProviders) -> None:
        for capability in rpm.obsoletes:
            for other, old in offers.named(capability.name).items():
                if obsoleted(old, capability, rpm):
                    self._tie((slot, other))

    def _named_alike(self) -> None:
        named: dict[str, list[Slot]] = {}
        for slot in self.change.changing:
            named.setdefault(slot.name, []).append(slot)
        for slots in named.values():
            self._tie(slots)

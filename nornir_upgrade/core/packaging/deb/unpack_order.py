"""Unpack order: the order of a transaction in which no program loses a library that it needs. Pure.

Users of a library change before the library if it is downgraded, and after it if it is upgraded.
Each slot that changes is exchanged at one moment: its old version is removed and its new one unpacked. Relations of the versions
decide which of two exchanges is first (`precedences`). Exchanges that must each be first, as of two packages that depend on each
other's exact version, are a *lockstep*: they follow each other directly, and within it the weaker reasons give way (`_RANKS`).
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nornir_upgrade.core.packaging.graph import components

from .dependencies import DebPackage, Demand
from .rules import excluded, satisfies
from .transition import Action, DebProviders, Slot, Transition
from .vital import protected

Reason = Literal["twin", "breaks", "depends", "exact", "vital", "dpkg"]
_RANKS: Mapping[Reason, int] = {"twin": 0, "breaks": 1, "depends": 2, "exact": 3, "vital": 4, "dpkg": 5}
"""What gives way first where not every reason can be had. `dpkg` refuses to unpack without it."""

Precedences = Mapping[Slot, Mapping[Slot, int]]
"""A slot, those that are exchanged after it, and the rank of the reason."""


def order(transition: Transition, known: Precedences | None = None) -> tuple[Action, ...]:
    """All actions of `transition`, each once: unpacked and removed in order, configured at the end, and before where dpkg asks for
    it (Pre-Depends). `known`: its `precedences`, where they are at hand."""
    emission = _Emission(transition)
    for slot in exchanges(transition, known):
        emission.exchange(slot)
    emission.configure(transition.after)
    return tuple(emission.actions)


def exchanges(transition: Transition, known: Precedences | None = None) -> tuple[Slot, ...]:
    """The slots that change, in the order of their exchange."""
    return tuple(_sorted(transition, transition.changing, known or precedences(transition), 0))


def locksteps(transition: Transition, known: Precedences | None = None) -> tuple[frozenset[Slot], ...]:
    """The groups of two slots and more that no order can part: each is needed before another of its group."""
    return tuple(group for group in components(transition.changing, known or precedences(transition)) if len(group) > 1)


# ---------------------------------------------------------------------- which exchange is first


def precedences(transition: Transition) -> Precedences:
    """What the relations of all versions, before and after, say of the exchanges."""
    return _Relations(transition).told()


@dataclass(slots=True)
class _Relations:
    transition: Transition
    first: dict[Slot, dict[Slot, int]] = field(default_factory=dict)
    before: DebProviders = field(init=False)
    after: DebProviders = field(init=False)
    vital: frozenset[Slot] = field(init=False)

    def __post_init__(self) -> None:
        self.before = DebProviders(self.transition.before.values(), self.transition.native)
        self.after = DebProviders(self.transition.after.values(), self.transition.native)
        self.vital = protected(self.transition)

    def told(self) -> Precedences:
        for slot, deb in self.transition.after.items():
            for demand in deb.depends:
                self._needed_by_new(slot, deb, demand)
            for demand in deb.excludes:
                self._excluded_by_new(slot, deb, demand)
        for slot, deb in self.transition.before.items():
            for demand in deb.depends:
                self._needed_by_old(slot, deb, demand)
            for demand in deb.excludes:
                self._excluded_by_old(slot, deb, demand)
        self._twins()
        self._siblings()
        return self.first

    def _put(self, slot: Slot, other: Slot, reason: Reason) -> None:
        changing = self.transition.changing
        if slot != other and slot in changing and other in changing:
            later = self.first.setdefault(slot, {})
            later[other] = max(later.get(other, 0), _RANKS[reason])

    def _satisfiers(self, deb: DebPackage, demand: Demand) -> tuple[list[Slot], list[Slot]]:
        old = [self.transition.slot(satisfier) for satisfier in self.before.satisfying(demand, deb)]
        new = [self.transition.slot(satisfier) for satisfier in self.after.satisfying(demand, deb)]
        return old, new

    def _needed_by_new(self, slot: Slot, deb: DebPackage, demand: Demand) -> None:
        """What a new version needs is there before it; what took its place is there before the old satisfier goes."""
        old, new = self._satisfiers(deb, demand)
        if not old and new:
            self._put(new[0], slot, self._weight(slot, demand, hard=demand.field == "Pre-Depends"))
        elif new and not set(old) & set(new):
            for provider in old:
                self._put(new[0], provider, self._weight(slot, demand))

    def _needed_by_old(self, slot: Slot, deb: DebPackage, demand: Demand) -> None:
        """What an old version needs stays until it is gone."""
        old, new = self._satisfiers(deb, demand)
        if old and not new:
            self._put(slot, old[0], self._weight(slot, demand))
        elif old and new and not set(old) & set(new):
            for provider in old:
                self._put(new[0], provider, self._weight(slot, demand))

    def _weight(self, slot: Slot, demand: Demand, *, hard: bool = False) -> Reason:
        if hard:
            return "dpkg"
        if slot not in self.vital:
            return "depends"
        return "exact" if all(relation.op == "=" for relation in demand.relations) else "vital"

    def _excluded_by_new(self, slot: Slot, deb: DebPackage, demand: Demand) -> None:
        """What a new version cannot stand beside goes before it comes."""
        for other in self._excluded(deb, demand, self.before):
            still = self.transition.after.get(other)
            if not still or not excluded(still, demand.relations[0], deb, self.transition.native):
                self._put(other, slot, "dpkg" if demand.field == "Conflicts" else "breaks")

    def _excluded_by_old(self, slot: Slot, deb: DebPackage, demand: Demand) -> None:
        """What an old version cannot stand beside comes after it went."""
        for other in self._excluded(deb, demand, self.after):
            was = self.transition.before.get(other)
            if not was or not excluded(was, demand.relations[0], deb, self.transition.native):
                self._put(slot, other, "dpkg" if demand.field == "Conflicts" else "breaks")

    def _excluded(self, deb: DebPackage, demand: Demand, offers: DebProviders) -> Iterator[Slot]:
        return map(self.transition.slot, _beside(deb, demand, offers, self.transition.native))

    def _twins(self) -> None:
        """A library that goes and one that takes its name may be one file on the disk (/lib and /usr/lib): whoever must be
        gone before the one goes must be gone before the other comes."""
        gone = self.transition.before.keys() - self.transition.after.keys()
        new = {slot.name: slot for slot in self.transition.after.keys() - self.transition.before.keys()}
        pairs = [
            (slot, new[provided.name])
            for slot in gone
            for provided in self.transition.before[slot].provides
            if provided.name in new
        ]
        for old, young in pairs:
            for user in [slot for slot, later in self.first.items() if old in later and slot != young]:
                self._put(user, young, "twin")

    def _siblings(self) -> None:
        """Two architectures of one package change together: dpkg configures neither at another version than the other."""
        named: dict[str, list[Slot]] = {}
        for slot in self.transition.changing:
            named.setdefault(slot.name, []).append(slot)
        for slots in named.values():
            for sibling in slots:
                for other in slots:
                    self._put(sibling, other, "twin")


# ---------------------------------------------------------------------- sorting


def _sorted(transition: Transition, slots: Collection[Slot], known: Precedences, rank: int) -> Iterator[Slot]:
    """`slots` in order, by reasons of `rank` and above; where these contradict each other, by stronger ones alone."""
    here = frozenset(slots)
    later = {
        slot: {other: why for other, why in known.get(slot, {}).items() if other in here and why >= rank}
        for slot in here
    }
    groups = components(here, later)
    for group in _topological(transition, groups, later):
        if len(group) == 1:
            yield from group
        elif rank <= max(_RANKS.values()):
            yield from _sorted(transition, group, known, rank + 1)
        else:
            yield from sorted(group)


def _topological(
    transition: Transition, groups: Sequence[frozenset[Slot]], later: Precedences
) -> Iterator[frozenset[Slot]]:
    """Groups in an order that `later` allows; what is only removed goes as late as it can."""
    number = {slot: at for at, group in enumerate(groups) for slot in group}
    after = [{number[other] for slot in group for other in later[slot]} - {at} for at, group in enumerate(groups)]
    waiting = [0] * len(groups)
    for numbers in after:
        for at in numbers:
            waiting[at] += 1
    removed = [all(slot not in transition.after for slot in group) for group in groups]
    ready: tuple[list[tuple[Slot, int]], list[tuple[Slot, int]]] = ([], [])
    """What is exchanged and what is removed: all of one kind before the other, so that dpkg is called seldom."""

    def enter(at: int) -> None:
        heapq.heappush(ready[removed[at]], (min(groups[at]), at))

    for at in range(len(groups)):
        if not waiting[at]:
            enter(at)
    while any(ready):
        for heap in ready:
            while heap:
                _, at = heapq.heappop(heap)
                yield groups[at]
                for other in after[at]:
                    waiting[other] -= 1
                    if not waiting[other]:
                        enter(other)


# ---------------------------------------------------------------------- actions


def _clashes(transition: Transition) -> Mapping[tuple[str, Slot], list[Slot]]:
    """By field and slot of a new version: the slots that change, and whose old version cannot stand beside it by that field."""
    clashes: dict[tuple[str, Slot], list[Slot]] = {}
    worlds = (transition.before, transition.after)
    for mine, others in (worlds, worlds[::-1]):
        offers = DebProviders((others[slot] for slot in others.keys() & transition.changing), transition.native)
        for slot in sorted(mine.keys() & transition.changing):
            for demand in mine[slot].excludes:
                for other in _beside(mine[slot], demand, offers, transition.native):
                    old, new = (
                        (slot, transition.slot(other)) if mine is transition.before else (transition.slot(other), slot)
                    )
                    if old != new:
                        clashes.setdefault((demand.field, new), []).append(old)
    return clashes


def _beside(deb: DebPackage, demand: Demand, offers: DebProviders, native: str) -> Iterator[DebPackage]:
    """What `deb` cannot stand beside by `demand`, which is of one relation."""
    relation = demand.relations[0]
    return (candidate for candidate in offers.named(relation.name) if excluded(candidate, relation, deb, native))


class _Emission:
    """The actions so far, and what they lead to."""

    def __init__(self, transition: Transition) -> None:
        self.actions: list[Action] = []
        self._transition = transition
        self._there = dict(transition.before)
        self._offers = DebProviders(self._there.values(), transition.native)
        self._ready = set(transition.ready)
        self._configured = {slot: transition.before[slot] for slot in transition.ready}
        self._clashes = _clashes(transition)
        self._done: set[Slot] = set()
        self._under_way: set[Slot] = set()

    def exchange(self, slot: Slot) -> None:
        """Afterwards the slot holds what it is to hold. What dpkg must have configured or gone before it comes first."""
        if slot in self._done or slot in self._under_way:
            return
        self._under_way.add(slot)
        if new := self._transition.after.get(slot):
            self._clear_the_way(new, "Conflicts")
            for demand in new.depends:
                if demand.field == "Pre-Depends":
                    self._have_configured(demand, new)
            self._move(slot, new, Action("Unpack", new))
        else:
            self._move(slot, None, Action("Remove", self._transition.before[slot]))
        self._done.add(slot)

    def _move(self, slot: Slot, new: DebPackage | None, action: Action) -> None:
        if old := self._there.pop(slot, None):
            self._offers.drop(old)
        if new:
            self._there[slot] = new
            self._offers.add(new)
        self._ready.discard(slot)
        self.actions.append(action)

    def _clear_the_way(self, new: DebPackage, field: str) -> None:
        """Afterwards nothing that goes, or changes, stands in a relation `field` to `new`, in either direction."""
        for slot in self._clashes.get((field, self._transition.slot(new)), ()):
            if self._there.get(slot) == self._transition.before[slot]:
                self.exchange(slot)

    def _have_configured(self, demand: Demand, owner: DebPackage) -> None:
        """dpkg takes an unpacked package as well that was configured before, where that version satisfies too (Policy 7.2); not one
        that only provides what is asked for."""
        satisfiers = [self._transition.slot(deb) for deb in self._offers.satisfying(demand, owner)]
        if not any(slot in self._ready or self._did(slot, demand, owner) for slot in satisfiers):
            self.configure(satisfiers[:1])

    def _did(self, slot: Slot, demand: Demand, owner: DebPackage) -> bool:
        then = self._configured.get(slot)
        native = self._transition.native
        return then is not None and any(
            relation.name == then.name and satisfies(then, relation, owner, native) for relation in demand.relations
        )

    def configure(self, slots: Iterable[Slot]) -> None:
        """Afterwards these are configured, after all that they depend on."""
        for slot in sorted(slots):
            for due in self._unconfigured(slot):
                self._clear_the_way(self._there[due], "Breaks")
                self._ready.add(due)
                self._configured[due] = self._there[due]
                self.actions.append(Action("Configure", self._there[due]))

    def _unconfigured(self, root: Slot) -> tuple[Slot, ...]:
        """What has to be configured for `root`, itself last; circles are entered once, which dpkg takes in one call."""
        slots: dict[Slot, None] = {}
        seen: set[Slot] = set()
        walk: list[tuple[Slot, Iterator[Slot]]] = []

        def enter(slot: Slot) -> None:
            seen.add(slot)
            walk.append((slot, iter(self._needs(slot))))

        if root not in self._ready and root in self._there:
            enter(root)
        while walk:
            slot, needs = walk[-1]
            for need in needs:
                if need not in seen and need not in self._ready:
                    enter(need)
                    break
            else:
                walk.pop()
                slots[slot] = None
        return tuple(slots)

    def _needs(self, slot: Slot) -> list[Slot]:
        deb = self._there[slot]
        needs = []
        for demand in deb.depends:
            satisfiers = [self._transition.slot(satisfier) for satisfier in self._offers.satisfying(demand, deb)]
            if not any(satisfier in self._ready for satisfier in satisfiers):
                needs += satisfiers[:1]
        return needs

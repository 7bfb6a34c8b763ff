"""Check: a transaction of rpm is checked against the vital set, in every order that rpm may choose. Pure.

rpm accepts no order. It installs required packages first, unless packages require each other, directly or not; then it erases old
packages (lib/order.c). The order of packages that require each other depends on details that no repository tells. So each proof
holds for every order that rpm may choose: a demand is in danger if some set of exchanges that may be done by then leaves no
package that satisfies it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from nornir_upgrade.core.packaging.graph import components

from .dependencies import RpmPackage
from .rich_dependencies import Capability, Dependency
from .transition import RpmProviders, RpmTransition, Slot, protected, single, stem

Rule = Literal["gap", "broken"]
"""`gap`: packages that each require the other's exact version, which no order avoids. `broken`: it can be avoided."""
Pair = tuple[Slot, Slot]


@dataclass(frozen=True, slots=True)
class OrderFault:
    """What a package may lack for a moment. `apart`: with the first of each pair in an earlier transaction, it does not."""

    rule: Rule
    text: str
    apart: tuple[Pair, ...] = ()

    def __str__(self) -> str:
        return self.text


def check(change: RpmTransition) -> tuple[OrderFault, ...]:
    """All that something vital may lack while one transaction makes the change."""
    return tuple(_Look(change).faults())


def safe(faults: Iterable[OrderFault]) -> bool:
    """Whether a transaction with these faults keeps the host usable at every moment."""
    return all(fault.rule == "gap" for fault in faults)


def first(change: RpmTransition) -> Mapping[Slot, frozenset[Slot]]:
    """What rpm is sure to install before each slot that it installs something in."""
    offers = RpmProviders({slot: change.after[slot] for slot in change.changing & change.after.keys()})
    sure: dict[Slot, set[Slot]] = {}
    maybe: dict[Slot, set[Slot]] = {}
    for slot in change.changing & change.after.keys():
        sure[slot], maybe[slot] = _required(slot, change.after[slot], offers)
    groups = components(maybe, maybe)
    number = {slot: at for at, group in enumerate(groups) for slot in group}
    closures: dict[Slot, frozenset[Slot]] = {}
    for group in groups:  # what a group requires is before it in this list
        for slot in group:
            direct = {needed for needed in sure[slot] if number[needed] != number[slot]}
            closures[slot] = frozenset(direct.union(*(closures[needed] for needed in direct)))
    return closures


def _required(slot: Slot, rpm: RpmPackage, offers: RpmProviders) -> tuple[set[Slot], set[Slot]]:
    """The slots that come before by a requirement which nothing else meets, and all that may."""
    sure: set[Slot] = set()
    maybe: set[Slot] = set()
    for demand in rpm.requires:
        meeting = _mentioned(demand, offers)
        maybe |= meeting
        if isinstance(demand, Capability) and len(meeting) == 1:
            sure |= meeting
    return sure - {slot}, maybe - {slot}


def _mentioned(demand: Dependency, offers: RpmProviders) -> frozenset[Slot]:
    """Who meets a term of the demand."""
    if isinstance(demand, Capability):
        return offers.meeting(demand)
    return frozenset(slot for term in demand.terms for slot in _mentioned(term, offers))


@dataclass(slots=True)
class _Look:
    change: RpmTransition
    before: RpmProviders = field(init=False)
    after: RpmProviders = field(init=False)
    coming: Mapping[str, tuple[Slot, ...]] = field(init=False)
    """What comes into empty slots, by the stems of its capabilities."""

    def __post_init__(self) -> None:
        self.before, self.after = RpmProviders(self.change.before), RpmProviders(self.change.after)
        fresh: dict[str, list[Slot]] = {}
        for slot in sorted(self.change.after.keys() - self.change.before.keys()):
            for name in {stem(capability.name) for capability in self.change.after[slot].provides}:
                fresh.setdefault(name, []).append(slot)
        self.coming = {name: tuple(slots) for name, slots in fresh.items()}

    def faults(self) -> Iterator[OrderFault]:
        vital = protected(self.change)
        if not vital & self.change.changing:
            return
        sure = first(self.change)
        for slot in sorted(vital & self.change.after.keys()):
            versions = {self.change.before.get(slot): True, self.change.after[slot]: slot not in self.change.changing}
            for rpm, old in versions.items():
                for demand in rpm.requires if rpm else ():
                    for term in single(demand):
                        if rpm and (fault := self._fault(slot, rpm, term, sure, old=old)):
                            yield fault

    def _fault(
        self, slot: Slot, rpm: RpmPackage, demand: Dependency, sure: Mapping[Slot, frozenset[Slot]], *, old: bool
    ) -> OrderFault | None:
        """What is wrong with a demand of the version `rpm`, which is there until (`old`) or from when its slot is exchanged."""
        lost = self._lost(demand)
        gained = self.after.meeting(demand) & self.change.changing
        if lost is None or (old and not lost) or (not lost and not gained):
            return None
        due = lost if old else lost | {slot}
        done = due.union(*(sure.get(earlier, frozenset()) for earlier in due))
        if done & gained or (old and slot in done):
            return None
        apart = self._apart(slot, lost, sorted(gained), old=old)
        coupled = all(self._coupled(slot, other) for pair in apart for other in set(pair) - {slot})
        return OrderFault("gap" if apart and coupled else "broken", f"{rpm} may lack {demand}", apart)

    def _lost(self, demand: Dependency) -> frozenset[Slot] | None:
        """The exchanges after all of which nobody of before meets the demand; `None` where somebody always does."""
        lost = set()
        for slot in self.before.meeting(demand):
            takers = self._takers(slot, demand)
            if not takers or any(taker in self.after.meeting(demand) for taker in takers):
                return None
            lost.add(takers[0])
        return frozenset(lost)

    def _takers(self, slot: Slot, demand: Dependency) -> tuple[Slot, ...]:
        """Whose exchange takes away what the version of before in `slot` meets the demand with."""
        if slot not in self.change.changing:
            return ()
        names = _stems(self.change.before[slot], demand)
        new = self.change.after.get(slot)
        if new and names & {new.name, *(stem(capability.name) for capability in new.provides)}:
            return (slot,)
        return tuple(dict.fromkeys(taker for name in sorted(names) for taker in self.coming.get(name, ())))

    def _apart(self, slot: Slot, lost: frozenset[Slot], gained: list[Slot], *, old: bool) -> tuple[Pair, ...]:
        if old and slot in self.change.changing:
            return tuple((slot, other) for other in sorted(lost) if other != slot)
        if lost and gained:
            return tuple((gained[0], other) for other in sorted(lost))
        return tuple((other, slot) for other in gained[:1])

    def _coupled(self, slot: Slot, other: Slot) -> bool:
        """Whether the package requires the other's exact version, in all of its versions."""
        worlds = ((self.change.before, self.before), (self.change.after, self.after))
        return all(
            slot in world and any(_exact(demand) and other in offers.meeting(demand) for demand in world[slot].requires)
            for world, offers in worlds
        )


def _stems(rpm: RpmPackage, demand: Dependency) -> set[str]:
    """The stems of what the package meets the demand with."""
    if isinstance(demand, Capability):
        return {stem(demand.name)}
    return {name for term in demand.terms for name in _stems(rpm, term)}


def _exact(demand: Dependency) -> bool:
    return isinstance(demand, Capability) and demand.op == "="

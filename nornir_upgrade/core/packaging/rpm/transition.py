"""Transition: one change of rpm packages, as what is installed before and after it, and which package satisfies which demand. Pure.

rpm installs all new packages before it erases any old one (lib/order.c). During a transaction, files of an older version therefore
exist beside the newer ones. Where both have the same path, the file is the new one. The name of a capability tells its file (`stem`):
`libc.so.6(GLIBC_2.38)(64bit)` is in the file `libc.so.6`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core.packaging.model import PackageName

from .dependencies import RpmPackage, names_in
from .rich_dependencies import Capability, Dependency, Rich
from .rules import meets
from .vital import NAMES

Slot = PackageName
World = Mapping[Slot, RpmPackage]
_OF_ONE = ("with", "without", "or")
"""Boolean operators that can be asked of a single package."""


@dataclass(frozen=True, slots=True)
class RpmTransition:
    """`before` and `after`: what is installed then, by slot."""

    before: World
    after: World
    changing: frozenset[Slot] = field(init=False)
    """Slots in which something is installed or erased."""

    def __post_init__(self) -> None:
        slots = self.before.keys() | self.after.keys()
        moved = {slot for slot in slots if self.before.get(slot) != self.after.get(slot)}
        object.__setattr__(self, "changing", frozenset(moved))


def change(before: Iterable[RpmPackage], after: Iterable[RpmPackage]) -> RpmTransition:
    """The change from one set of packages to another. What stands in several versions has a slot for each."""
    worlds = tuple(before), tuple(after)
    several = {key for world in worlds for key, count in Counter(rpm.key for rpm in world).items() if count > 1}
    old, new = ({_slot(rpm, rpm.key in several): rpm for rpm in world} for world in worlds)
    return RpmTransition(old, new)


def _slot(rpm: RpmPackage, several: bool) -> Slot:
    return PackageName(rpm.name, rpm.arch, rpm.version) if several else rpm.key


class RpmProviders:
    """Who meets what in one world, by name: a question costs what the name has packages."""

    def __init__(self, world: World) -> None:
        self._named: dict[str, dict[Slot, RpmPackage]] = {}
        for slot, rpm in world.items():
            for name in (rpm.name, *(capability.name for capability in rpm.provides), *rpm.files):
                self._named.setdefault(name, {})[slot] = rpm

    def meeting(self, demand: Dependency) -> frozenset[Slot]:
        """The slots of the packages that are each what `demand` asks for."""
        providers = {slot: rpm for name in names_in(demand) for slot, rpm in self._named.get(name, {}).items()}
        return frozenset(slot for slot, rpm in providers.items() if meets(rpm, demand))

    def met(self, demand: Dependency) -> bool:
        """Whether the world as a whole is what `demand` asks for."""
        if isinstance(demand, Capability) or demand.op in ("with", "without"):
            return bool(self.meeting(demand))
        if demand.op in ("and", "or"):
            return (all if demand.op == "and" else any)(self.met(term) for term in demand.terms)
        first, condition, *other = demand.terms
        if self.met(condition) == (demand.op == "if"):
            return self.met(first)
        return not other or self.met(other[0])

    def named(self, name: str) -> Mapping[Slot, RpmPackage]:
        """What is called `name`, provides it, or has it as a path."""
        return self._named.get(name, {})


def single(demand: Dependency) -> Iterator[Dependency]:
    """The demands in `demand` that one package can meet; conditions, which the world as a whole meets, are left out."""
    if isinstance(demand, Rich) and demand.op == "and":
        for term in demand.terms:
            yield from single(term)
    elif isinstance(demand, Capability) or _alternatives(demand):
        yield demand


def _alternatives(demand: Rich) -> bool:
    return demand.op in _OF_ONE and all(isinstance(term, Capability) or _alternatives(term) for term in demand.terms)


def stem(name: str) -> str:
    """What a capability is in: of a library the file, with the mark of its architecture; of anything else the name itself."""
    soname, version, _ = name.partition("(")
    if not version or ".so" not in soname:
        return name
    return f"{soname}(64bit)" if name.endswith("(64bit)") else soname


def protected(change: RpmTransition) -> frozenset[Slot]:
    """The slots of the vital set, and of all that it depends on before or after."""
    worlds = [(world, RpmProviders(world)) for world in (change.before, change.after)]
    due = [slot for slot in change.before.keys() | change.after.keys() if slot.name in NAMES]
    slots: set[Slot] = set()
    while due:
        slot = due.pop()
        if slot not in slots:
            slots.add(slot)
            for world, offers in worlds:
                if rpm := world.get(slot):
                    due += [
                        provider
                        for demand in rpm.requires
                        for term in single(demand)
                        for provider in offers.meeting(term)
                    ]
    return frozenset(slots)

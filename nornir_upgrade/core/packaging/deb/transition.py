"""One transaction of dpkg packages as what is unpacked before and after it, and the actions that lead from one to the other. Pure.

A *slot* is what a package is told apart by while versions change: its name with the architecture that it counts as (policy of
Multi-Arch: `all` counts as the host's own).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from nornir_upgrade.core.packaging.model import PackageName

from .dependencies import DebPackage, Demand
from .rules import effective, satisfies

Act = Literal["Unpack", "Configure", "Remove"]
Slot = PackageName
World = Mapping[Slot, DebPackage]
"""The packages whose files are on the disk, by slot."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that dpkg does with one version of a package; the words are those of apt's planner protocol."""

    act: Act
    deb: DebPackage

    def __str__(self) -> str:
        return f"{self.act} {self.deb.name}:{self.deb.arch}={self.deb.version}"


@dataclass(frozen=True, slots=True)
class Transition:
    """`before` and `after`: what is unpacked then. `ready`: slots that are configured before. `again`: slots that are unpacked once
    more at the version that they have. `native`: the host's own architecture."""

    native: str
    before: World
    after: World
    ready: frozenset[Slot]
    again: frozenset[Slot] = frozenset()
    changing: frozenset[Slot] = field(init=False)
    """Slots that something is unpacked in, or removed from."""

    def __post_init__(self) -> None:
        slots = self.before.keys() | self.after.keys()
        moved = {slot for slot in slots if self.before.get(slot) != self.after.get(slot)}
        object.__setattr__(self, "changing", frozenset(moved | self.again))

    def slot(self, deb: DebPackage) -> Slot:
        """Where `deb` stands."""
        return slot_of(deb, self.native)


def slot_of(deb: DebPackage, native: str) -> Slot:
    """The slot of `deb` on a host of architecture `native`."""
    return PackageName(deb.name, effective(deb.arch, native))


class DebProviders:
    """Who satisfies what in one world, by name: a question costs what the name has packages."""

    def __init__(self, world: Iterable[DebPackage], native: str) -> None:
        self._native = native
        self._named: dict[str, list[DebPackage]] = {}
        for deb in world:
            self.add(deb)

    def add(self, deb: DebPackage) -> None:
        """Afterwards `deb` counts."""
        for name in _names(deb):
            self._named.setdefault(name, []).append(deb)

    def drop(self, deb: DebPackage) -> None:
        """Afterwards `deb` counts no more."""
        for name in _names(deb):
            self._named[name].remove(deb)

    def named(self, name: str) -> Iterable[DebPackage]:
        """What is called `name`, or provides it."""
        return self._named.get(name, ())

    def satisfying(self, demand: Demand, owner: DebPackage) -> Iterator[DebPackage]:
        """What satisfies one of the alternatives, first alternative first."""
        for relation in demand.relations:
            yield from (deb for deb in self.named(relation.name) if satisfies(deb, relation, owner, self._native))


def _names(deb: DebPackage) -> set[str]:
    return {deb.name, *(provided.name for provided in deb.provides)}

"""Listing: the packages of a machine at the moment of its list."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .text import Note


@dataclass(frozen=True, slots=True)
class Listed:
    """One installed package. `arch` and `version` are '' if the file has none.

    `epoch_told` is false if a version may have an epoch that was not written. `trouble` is dpkg's word for a state that an
    interrupted or failed installation left (`half-installed`, `unpacked`, ...). `auto`: nobody asked for it, as far as that is known.
    """

    line: int
    name: str
    arch: str
    version: str
    hold: bool = False
    epoch_told: bool = True
    trouble: str = ""
    auto: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The installed packages of one machine, in the file's order. `family` is the name of their format; `unread` are lines that may
    name a package.
    """

    source: str
    family: str
    packages: tuple[Listed, ...]
    notes: tuple[Note, ...] = ()
    unread: tuple[Note, ...] = field(default=())

    def __iter__(self) -> Iterator[Listed]:
        return iter(self.packages)

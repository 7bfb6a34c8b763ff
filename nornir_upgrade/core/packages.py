"""Packages as a host holds them and as we want them, and the seam behind which dpkg/apt and rpm/dnf stand."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal[
    "config-files",
    "half-installed",
    "unpacked",
    "half-configured",
    "triggers-awaited",
    "triggers-pending",
    "installed",
]
Selection = Literal["install", "hold", "deinstall", "purge", "unknown"]
Goal = Literal["installed", "config-files", "absent"]


@dataclass(frozen=True, slots=True, order=True)
class PackageName:
    """A name with its architecture, as dpkg or rpm print it (`all`, `amd64`, `noarch`, …)."""

    name: str
    arch: str


@dataclass(frozen=True, slots=True)
class Package:
    """One package that a host knows: `state` and `selection` are dpkg's words (dpkg(1)); `broken` is its reinst-required flag."""

    name: str
    arch: str
    version: str
    state: State
    selection: Selection
    auto: bool
    broken: bool = False

    @property
    def key(self) -> PackageName:
        """What the package is told apart by."""
        return PackageName(self.name, self.arch)

    @property
    def hold(self) -> bool:
        """Whether the administrator holds it at its version."""
        return self.selection == "hold"


@dataclass(frozen=True, slots=True)
class PackageWant:
    """What should be true of one package. `version` is exact, and empty only for the goal `absent`."""

    name: str
    arch: str
    version: str
    goal: Goal
    auto: bool = False
    hold: bool = False


@dataclass(frozen=True, slots=True)
class PackageChange:
    """One line of a package manager's transaction: `old` is empty for a new package, `new` for one that goes."""

    name: str
    arch: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """All that one call of a package manager would do (or does), sorted by name."""

    changes: tuple[PackageChange, ...]


class PackageManager(Protocol):
    """Argument vectors, and parsers of what they print; no I/O. dpkg/apt: `apt.py`."""

    def query(self) -> tuple[str, ...]:
        """The command that lists every package; one round trip, with the auto marks."""
        ...

    def parse_query(self, text: str) -> tuple[Package, ...]:
        """What `query` printed, sorted by name and architecture. Raises `InvalidInput` with line and reason."""
        ...

    def simulate(self, want: Sequence[PackageWant], *, downgrade: bool) -> tuple[str, ...]:
        """The command that says what `change` would do, and does nothing."""
        ...

    def parse_simulation(self, text: str) -> Transaction:
        """What `simulate` printed."""
        ...

    def change(self, want: Sequence[PackageWant], *, downgrade: bool, wait: int) -> tuple[tuple[str, ...], ...]:
        """The commands, in order, that reach `want` in one transaction; `wait` is the seconds to wait for the lock."""
        ...


def digest_of_packages(packages: Iterable[Package]) -> str:
    """SHA-256 over names, versions and states: equal digests, equal package state."""
    lines = sorted(f"{p.name}:{p.arch} {p.version} {p.state} {p.selection} {p.broken}" for p in packages)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

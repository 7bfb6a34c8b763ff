"""Packages as a host has them and as we want them, and the type of what makes a manager's commands. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, Protocol, TypeVar

from nornir_upgrade.core.version.evr import sort_key

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
    """A name with its architecture, as dpkg or rpm print it (`all`, `amd64`, `noarch`, …).

    `version` is given only where several versions are installed at once, as kernels of rpm: each is a package of its own.
    """

    name: str
    arch: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}{'=' * bool(self.version)}{self.version}:{self.arch}"


@dataclass(frozen=True, slots=True)
class Package:
    """One package that a host knows. `state` and `selection` are dpkg's words (dpkg(1)); `broken` is its reinst-required flag."""

    name: str
    arch: str
    version: str
    state: State
    selection: Selection
    auto: bool
    broken: bool = False

    @property
    def key(self) -> PackageName:
        """Its name and architecture."""
        return PackageName(self.name, self.arch)

    @property
    def hold(self) -> bool:
        """Whether the administrator holds it at its version."""
        return self.selection == "hold"

    @property
    def unpacked(self) -> bool:
        """Whether some of its files are on the host beside its configuration."""
        return self.state != "config-files"

    @property
    def interrupted(self) -> bool:
        """Whether its installation or removal was begun and not finished."""
        return self.broken or self.state not in ("installed", "config-files")


@dataclass(frozen=True, slots=True)
class PackageWant:
    """What should be true of one package. `version` is exact; '' for the goals that leave no installed version, but for rpm's
    packages that stand in several: there the one that goes is told.

    Goal `config-files`: removed and not purged. dpkg forgets a removed package that has no conffiles and no script of its own,
    so that goal also holds of a package that is not there.
    """

    name: str
    arch: str
    version: str
    goal: Goal
    auto: bool = False
    hold: bool = False

    @property
    def key(self) -> PackageName:
        """Its name and architecture."""
        return PackageName(self.name, self.arch)


@dataclass(frozen=True, slots=True)
class PackageChange:
    """One line of a package manager's transaction: `old` is empty for a new package, `new` for a removed one."""

    name: str
    arch: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name}:{self.arch} {self.old or '(none)'} -> {self.new or '(none)'}"


@dataclass(frozen=True, slots=True)
class Transaction:
    """All that one call of a package manager would do (or does), sorted by name. `excluders`: for a removed package, the new one
    that cannot be together with it, where that is known."""

    changes: tuple[PackageChange, ...]
    excluders: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Repository:
    """One index that the package manager reads, as `apt-cache policy` lists it."""

    priority: int
    uri: str
    suite: str
    component: str
    arch: str
    origin: str = ""
    label: str = ""
    codename: str = ""


T = TypeVar("T", Package, PackageWant)


class PackageManager(Protocol):
    """Argument vectors, and parsers of what they print; no I/O. dpkg/apt: `deb.apt`; rpm/dnf: `dnf.dnf4`.

    `present` is what `parse_query` gave: what a package's name alone does not say is looked up there.
    """

    def query(self) -> tuple[str, ...]:
        """The command that lists every package; one round trip, with the auto marks."""
        ...

    def parse_query(self, text: str) -> tuple[Package, ...]:
        """What `query` printed, sorted by name and architecture. Raises `InvalidInput` with line and reason."""
        ...

    def simulate(self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool) -> tuple[str, ...]:
        """The command that says what the transaction of `change` would do, and does nothing."""
        ...

    def parse_simulation(self, text: str, present: Sequence[Package]) -> Transaction:
        """What `simulate` printed. Raises `InvalidInput` with line and reason."""
        ...

    def change(
        self, want: Sequence[PackageWant], present: Sequence[Package], *, downgrade: bool, wait: int
    ) -> tuple[tuple[str, ...], ...]:
        """The commands, in order, that reach `want` in one transaction; `wait` is the seconds to wait for the lock."""
        ...


def implied(want: Iterable[PackageWant], present: Sequence[Package]) -> Transaction:
    """The transaction that leads from `present` to `want` and does nothing else."""
    now = by_key(package for package in present if package.unpacked)
    named = by_name(present)
    changes = [
        change
        for key, ones in by_key(want).items()
        for change in _changes(key, ones, now.get(standing_for(ones[0], named.get(key.name, ())) or key, []))
    ]
    return Transaction(tuple(sorted(changes, key=lambda change: (change.name, change.arch))))


def _changes(key: PackageName, want: Sequence[PackageWant], now: Sequence[Package]) -> Iterable[PackageChange]:
    """The changes of one package. Of versions that must not be installed together, the newest is installed again if it is
    wanted, and replaces the others.
    """
    gone, new = moved(want, [package.version for package in now])
    stay = [package.version for package in now if package.broken and package.version not in gone]
    if gone and not new and all(sort_key(kept, "rpm") > sort_key(other, "rpm") for kept in stay for other in gone):
        new = stay
    return (change for change in paired(key, gone, new) if change.old != change.new)


def moved(want: Sequence[PackageWant], now: Sequence[str]) -> tuple[list[str], list[str]]:
    """The versions of a package, of those installed `now`, that are removed, and the versions that are installed. Afterwards exactly
    the wanted versions are installed, or the unwanted ones are not ('': all of them).
    """
    stay = [package.version for package in want if package.goal == "installed"]
    leave = {package.version for package in want if package.goal != "installed"}
    gone = [version for version in now if version not in stay and (stay or leave & {"", version})]
    return gone, [version for version in stay if version not in now]


def paired(key: PackageName, gone: Iterable[str], new: Iterable[str]) -> Iterable[PackageChange]:
    """The changes of one package: each new version replaces a removed one, as long as there are any."""
    pairs = zip_longest(sorted(gone), sorted(new), fillvalue="")
    return (PackageChange(key.name, key.arch, old, version) for old, version in pairs)


def by_key(ones: Iterable[T]) -> dict[PackageName, list[T]]:
    """Packages by name and architecture, with all versions of each."""
    groups: dict[PackageName, list[T]] = {}
    for package in ones:
        groups.setdefault(package.key, []).append(package)
    return groups


def by_name(present: Iterable[Package]) -> dict[str, list[Package]]:
    """Packages by name, of any architecture: the candidates of `standing_for`."""
    groups: dict[str, list[Package]] = {}
    for package in present:
        groups.setdefault(package.name, []).append(package)
    return groups


def standing_for(want: PackageWant, present: Sequence[Package]) -> PackageName | None:
    """The present package that installing `want` would replace: itself, or where a package became
    architecture-independent (or ceased to be) from one version to the next, the other one of that name.
    """
    keys = [package.key for package in present if package.name == want.name]
    if want.key in keys:
        return want.key
    others = [key for key in keys if {"all", "noarch"} & {key.arch, want.arch}] if want.goal == "installed" else []
    return others[0] if len(others) == 1 else None


def differences(want: Iterable[PackageWant], present: Iterable[Package]) -> tuple[str, ...]:
    """The differences between `want` and `present`, one line a package; empty where there are none."""
    now = by_key(present)
    lines = [f"{key} {line}" for key, ones in by_key(want).items() for line in _differing(ones, now.get(key, []))]
    return tuple(lines)


def _differing(want: Sequence[PackageWant], now: Sequence[Package]) -> Iterable[str]:
    """The lines of one package."""
    yield from (line for package in want if (line := _difference(package, _meant(package, now))))
    stay = {package.version for package in want if package.goal == "installed"}
    if stay and len(now) > 1:
        yield from (f"is {package.version} as well" for package in now if package.version not in stay)


def _meant(want: PackageWant, now: Sequence[Package]) -> Package | None:
    """The present version that `want` means: its own; any, where that is not installed or none is named."""
    same = [package for package in now if package.version == want.version]
    if want.goal != "installed" and want.version:
        return next(iter(same), None)
    return next(iter(same or now), None)


def _difference(want: PackageWant, now: Package | None) -> str:
    if want.goal != "installed":
        allowed = (None,) if want.goal == "absent" else (None, "config-files")
        state = now.state if now else None
        return "" if state in allowed else f"is {state}, wanted {want.goal}"
    if now is None:
        return f"is absent, wanted {want.version}"
    if now.state != "installed" or now.broken:
        return f"is {now.state}{' and needs to be reinstalled' * now.broken}, wanted installed"
    if now.version != want.version:
        return f"is {now.version}, wanted {want.version}"
    if now.auto != want.auto:
        return f"is marked {'auto' if now.auto else 'manual'}, wanted {'auto' if want.auto else 'manual'}"
    if now.hold != want.hold:
        return "is held, wanted not held" if now.hold else "is not held, wanted held"
    return ""


def digest_of_packages(packages: Iterable[Package]) -> str:
    """SHA-256 over names, versions and states: equal digests, equal package state."""
    lines = sorted(f"{p.name}:{p.arch} {p.version} {p.state} {p.selection} {p.broken}" for p in packages)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

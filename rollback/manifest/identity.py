"""Identity of packages: name and architecture, and the version where several versions are installed side by side. Pure.

rpm allows that for kernels; an interrupted transaction of rpm may leave the old version beside the new one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.model import Package, PackageName
from nornir_upgrade.core.version.evr import Flavour
from rollback.packaging.candidate import Catalog
from rollback.packaging.clauses import Versioned

_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Slots:
    """`install_only`: names of packages that are. `several`: name and architecture of packages that their version identifies."""

    install_only: frozenset[str] = frozenset()
    several: frozenset[_Pair] = frozenset()

    def key(self, package: Versioned) -> PackageName:
        """The key that identifies this package."""
        several = self.several and (package.name, package.arch) in self.several
        return _key(package.name, package.arch, package.version if several else "")

    def by_key(self, packages: Iterable[Package]) -> dict[PackageName, Package]:
        """`packages`, each under its key."""
        return {self.key(package): package for package in packages}


_key = lru_cache(maxsize=1 << 16)(PackageName)  # hosts have most packages in common, and each is looked up many times


def flavour_of(facts: HostFacts) -> Flavour:
    """The order of versions that a host uses."""
    return format_of(facts.os.family).flavour


def slots(then: HostFacts, now: HostFacts, offered: Catalog) -> Slots:
    """The slots for both states of a host. In some formats there is one version of a package, always."""
    if not format_of(now.os.family).several:
        return Slots()
    pairs = {(package.name, package.arch) for facts in (then, now) for package in facts.packages}
    install_only = frozenset(_install_only(pairs, offered))
    twice = {pair for facts in (then, now) for pair in _twice(facts.packages)}
    return Slots(install_only, frozenset({pair for pair in pairs if pair[0] in install_only} | twice))


def _install_only(pairs: Iterable[_Pair], offered: Catalog) -> Iterator[str]:
    provides: dict[str, set[str]] = {name: set() for name, _ in pairs}
    for (name, _, _), candidate in offered.candidates.items():
        if name in provides:
            provides[name] |= set(_provided(dict(candidate.control)))
    for (name, _, _), control in offered.present.items():
        if name in provides:
            provides[name] |= set(_provided(dict(control)))
    return (name for name, provided in provides.items() if offered.dnf.several(name, provided))


def _provided(control: Mapping[str, str]) -> Iterator[str]:
    return (line.partition(" ")[0] for line in control.get("Provides", "").splitlines())


def _twice(packages: Iterable[Package]) -> Iterator[_Pair]:
    return (pair for pair, count in Counter((package.name, package.arch) for package in packages).items() if count > 1)

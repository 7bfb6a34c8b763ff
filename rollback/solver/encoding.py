"""Encoding: which sets of packages can be installed together, as clauses, each with its reason. Pure.

A variable is one version of one package, numbered from 1. A clause is a disjunction of variables, negative for "is not
installed". A set is consistent if it satisfies all clauses. The encoding has only packages of the snapshot and of the host, in all
available versions: on a consistent host, no change is always a solution.

The `Rules` of a format define the demands between packages (`packaging.deb.clauses`, `packaging.rpm.clauses`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.version.evr import Flavour
from rollback.packaging.clauses import Clause, Reason, Rule, Rules, V, Versioned


@dataclass(frozen=True, slots=True)
class Encoding:
    """The clauses over `packages`. The variable of a package is its index plus 1; `keys` identify the packages."""

    packages: tuple[Versioned, ...]
    clauses: tuple[Clause, ...]
    flavour: Flavour
    own: frozenset[str]
    keys: tuple[PackageName, ...]
    variables: Mapping[PackageName, tuple[int, ...]]

    def find(self, key: PackageName, version: str) -> int:
        """The variable of exactly this version (the same text), or 0."""
        return next((v for v in self.variables.get(key, ()) if self.packages[v - 1].version == version), 0)

    def standing(self, key: PackageName) -> tuple[int, ...]:
        """The variables of every version in the place of `key`. A package for all architectures and one for the host's own
        architecture have the same place.
        """
        archs = {key.arch} | (self.own if key.arch in self.own else set())
        if not key.version:
            return tuple(v for arch in sorted(archs) for v in self.variables.get(PackageName(key.name, arch), ()))
        named = ((v, package) for v, package in enumerate(self.packages, 1) if package.name == key.name)
        return tuple(v for v, package in named if package.arch in archs)

    def violated(self, chosen: Collection[int]) -> tuple[Clause, ...]:
        """The clauses that a set of variables violates; empty if the set is consistent."""
        return tuple(clause for clause in self.clauses if not holds(clause, chosen))


def holds(clause: Clause, chosen: Collection[int]) -> bool:
    """Whether the set of variables satisfies the clause."""
    return any((literal > 0) == (abs(literal) in chosen) for literal in clause.literals)


def plain_key(package: Versioned) -> PackageName:
    """The key of a package, unless several versions of it are installed side by side."""
    return PackageName(package.name, package.arch)


def encode(
    packages: Iterable[V],
    missing: Iterable[V],
    rules: Rules[V],
    essential: Collection[str],
    barred: Iterable[V] = (),
    *,
    staying: Iterable[tuple[V, str]] = (),
    key: Callable[[V], PackageName] = plain_key,
) -> Encoding:
    """The rules over `packages`, whose name, architecture and version are unique.

    `missing`: not available. `essential`: names that must stay. `barred`: forbidden by policy. `staying`: packages that must stay,
    with the reason. The result does not depend on the order of the arguments' items.
    """
    ordered = tuple(sorted(packages, key=_identity))
    numbers = {_identity(package): number for number, package in enumerate(ordered, 1)}
    keys = tuple(map(key, ordered))
    variables_of: dict[PackageName, list[int]] = {}
    for number, package_key in enumerate(keys, 1):
        variables_of.setdefault(package_key, []).append(number)
    lacking = sorted(numbers[_identity(package)] for package in missing)
    clauses = (
        *_absent(ordered, lacking, "missing", "is in no repository and not installed"),
        *_absent(
            ordered,
            sorted(numbers[_identity(package)] for package in barred),
            "policy",
            "is not the version of the snapshot, and only that may stand (--missing remove)",
        ),
        *rules.clauses(ordered),
        *_essential(ordered, essential, frozenset(lacking)),
        *(Clause((numbers[_identity(package)],), _reason("essential", package, text)) for package, text in staying),
    )
    return Encoding(
        ordered,
        clauses,
        rules.flavour,
        rules.own,
        keys,
        {key: tuple(variables) for key, variables in variables_of.items()},
    )


def _absent(packages: Sequence[Versioned], variables: Iterable[int], rule: Rule, text: str) -> Iterator[Clause]:
    return (Clause((-variable,), _reason(rule, packages[variable - 1], text)) for variable in variables)


def _essential(packages: Sequence[Versioned], names: Iterable[str], lacking: Collection[int]) -> Iterator[Clause]:
    """Clauses that keep essential names. A name without any available version has no clause."""
    for name in sorted(names):
        variables = tuple(v for v, package in enumerate(packages, 1) if package.name == name and v not in lacking)
        if variables:
            yield Clause(variables, Reason("essential", name, "", "is essential or protected, and is never removed"))


def _reason(rule: Rule, package: Versioned, text: str) -> Reason:
    return Reason(rule, package.name, package.version, text)


def _identity(package: Versioned) -> tuple[str, str, str]:
    return package.name, package.arch, package.version

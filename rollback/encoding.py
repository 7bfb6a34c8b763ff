"""Which sets of packages can stand on a host, as clauses, each with its reason. Pure.

A variable is one version of one package, from 1 on; a clause is a disjunction of variables, negative for "is not
installed". A set is consistent when it satisfies all of them. Only the packages of the snapshot and of the host as it is are
in it, in all versions to be had: to stay as it is always is a solution of a consistent host, so that no other is needed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from nornir_upgrade.core.packages import PackageName

from . import debrules
from .universe import Deb, Demand

Rule = Literal["missing", "depends", "excludes", "one-version", "essential", "policy", "present", "kept"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a clause holds. `package` is whose demand it is, `version` '' where it is of all versions; `text` what it says."""

    rule: Rule
    package: str
    version: str
    text: str

    def __str__(self) -> str:
        return f"{self.package}{'=' * bool(self.version)}{self.version} {self.text}"


@dataclass(frozen=True, slots=True)
class Clause:
    """At least one of the literals is true. Its first literal is the package whose demand it is."""

    literals: tuple[int, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Encoding:
    """The clauses over `debs`; the variable of a package is its index and one. `native` is the host's architecture."""

    debs: tuple[Deb, ...]
    clauses: tuple[Clause, ...]
    native: str
    variables: Mapping[PackageName, tuple[int, ...]]

    def find(self, key: PackageName, version: str) -> int:
        """The variable of exactly this version (the same text), or 0."""
        return next((v for v in self.variables.get(key, ()) if self.debs[v - 1].version == version), 0)

    def standing(self, key: PackageName) -> tuple[int, ...]:
        """The variables of all that stands where `key` does: its versions, as `all` or as the host's own architecture alike."""
        archs = {key.arch} | ({"all", self.native} if key.arch in ("all", self.native) else set())
        return tuple(v for arch in sorted(archs) for v in self.variables.get(PackageName(key.name, arch), ()))

    def violated(self, chosen: Collection[int]) -> tuple[Clause, ...]:
        """The clauses that a set of variables does not satisfy: none when it is consistent."""
        return tuple(clause for clause in self.clauses if not holds(clause, chosen))


def holds(clause: Clause, chosen: Collection[int]) -> bool:
    """Whether the set of variables satisfies the clause."""
    return any((literal > 0) == (abs(literal) in chosen) for literal in clause.literals)


def encode(
    debs: Iterable[Deb], missing: Collection[Deb], native: str, essential: Collection[str], barred: Iterable[Deb] = ()
) -> Encoding:
    """The rules over `debs`, no two of one name, architecture and version. Those in `missing` cannot be had, names that are
    `essential` must stay, and those that are `barred` are forbidden by policy.
    The result does not depend on the order of anything given.
    """
    ordered = tuple(sorted(debs, key=_identity))
    found: dict[PackageName, list[int]] = {}
    for number, one in enumerate(ordered, 1):
        found.setdefault(one.key, []).append(number)
    maker = _Maker(ordered, native)
    clauses = (
        *maker.absent(missing, "missing", "is in no repository and not installed"),
        *maker.absent(
            barred, "policy", "is not the version of the snapshot, and only that may stand (--missing remove)"
        ),
        *maker.demands(),
        *maker.one_version(),
        *maker.essential(essential, missing),
    )
    return Encoding(ordered, clauses, native, {key: tuple(variables) for key, variables in found.items()})


class _Maker:
    """The clauses of a tuple of packages, with what is looked up again and again at hand."""

    def __init__(self, debs: tuple[Deb, ...], native: str) -> None:
        self.debs, self.native = debs, native
        self.named: dict[str, list[int]] = {}  # name -> variables of what is called so or provides it
        self.own: dict[str, list[int]] = {}
        for number, one in enumerate(debs, 1):
            self.own.setdefault(one.name, []).append(number)
            for name in sorted({one.name, *(given.name for given in one.provides)}):
                self.named.setdefault(name, []).append(number)

    def absent(self, debs: Iterable[Deb], rule: Rule, text: str) -> Iterator[Clause]:
        unwanted = set(map(_identity, debs))
        for number, one in enumerate(self.debs, 1):
            if _identity(one) in unwanted:
                yield Clause((-number,), Reason(rule, one.name, one.version, text))

    def demands(self) -> Iterator[Clause]:
        for number, owner in enumerate(self.debs, 1):
            for demand in owner.depends:
                yield from self._depends(number, owner, demand)
            for demand in owner.excludes:
                yield from self._excludes(number, owner, demand)

    def _depends(self, number: int, owner: Deb, demand: Demand) -> Iterator[Clause]:
        providers = {
            one
            for relation in demand.relations
            for one in self.named.get(relation.name, ())
            if debrules.satisfies(self.debs[one - 1], relation, owner, self.native)
        }
        if number not in providers:
            yield Clause((-number, *sorted(providers)), Reason("depends", owner.name, owner.version, f"needs {demand}"))

    def _excludes(self, number: int, owner: Deb, demand: Demand) -> Iterator[Clause]:
        (relation,) = demand.relations
        verb = "breaks" if demand.field == "Breaks" else "conflicts with"
        for one in self.named.get(relation.name, ()):
            if debrules.excluded(self.debs[one - 1], relation, owner, self.native):
                yield Clause((-number, -one), Reason("excludes", owner.name, owner.version, f"{verb} {demand}"))

    def one_version(self) -> Iterator[Clause]:
        for name in sorted(self.own):
            for one, other in combinations(self.own[name], 2):
                if not debrules.together(self.debs[one - 1], self.debs[other - 1], self.native):
                    yield Clause((-one, -other), Reason("one-version", name, "", "can stand in one version only"))

    def essential(self, names: Collection[str], missing: Collection[Deb]) -> Iterator[Clause]:
        """A name that no version can be had of is beyond what a rule can keep."""
        lacking = set(map(_identity, missing))
        for name in sorted(names):
            variables = [one for one in self.own.get(name, ()) if _identity(self.debs[one - 1]) not in lacking]
            if variables:
                text = "is essential or protected, and is never removed"
                yield Clause(tuple(variables), Reason("essential", name, "", text))


def _identity(one: Deb) -> tuple[str, str, str]:
    return one.name, one.arch, one.version

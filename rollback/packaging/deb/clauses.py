"""Clauses of Debian packages; `core.packaging.deb.rules` decides what satisfies what. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from nornir_upgrade.core.packaging.deb import rules
from nornir_upgrade.core.packaging.deb.dependencies import DebPackage, Demand, deb
from nornir_upgrade.core.version.evr import Flavour
from rollback.packaging.clauses import Clause, Reason


@dataclass(frozen=True, slots=True)
class DebRules:
    """The `Rules` of a host that has dpkg. `native` is its own architecture."""

    native: str

    @property
    def flavour(self) -> Flavour:
        return "deb"

    @property
    def own(self) -> frozenset[str]:
        return frozenset({"all", self.native})

    def read(self, name: str, arch: str, version: str, control: Iterable[tuple[str, str]]) -> DebPackage:
        return deb(name, arch, version, control)

    def essential(self, installed: Sequence[DebPackage]) -> set[str]:
        return {package.name for package in installed if package.essential}

    def staying(self, installed: Sequence[DebPackage]) -> Iterator[tuple[DebPackage, str]]:
        return iter(())

    def clauses(self, packages: Sequence[DebPackage]) -> Iterator[Clause]:
        """Depends and Pre-Depends, Breaks and Conflicts, and one version for each package."""
        maker = _Maker(packages, self.native)
        yield from maker.demands()
        yield from maker.one_version()


class _Maker:
    """The clauses of some packages, with indexes for repeated look-ups."""

    def __init__(self, debs: Sequence[DebPackage], native: str) -> None:
        self.debs, self.native = debs, native
        self.named: dict[str, list[int]] = {}  # name -> variables of what is called so or provides it
        self.own: dict[str, list[int]] = {}
        for number, package in enumerate(debs, 1):
            self.own.setdefault(package.name, []).append(number)
            for name in sorted({package.name, *(relation.name for relation in package.provides)}):
                self.named.setdefault(name, []).append(number)

    def demands(self) -> Iterator[Clause]:
        for number, owner in enumerate(self.debs, 1):
            for demand in owner.depends:
                yield from self._depends(number, owner, demand)
            for demand in owner.excludes:
                yield from self._excludes(number, owner, demand)

    def _depends(self, number: int, owner: DebPackage, demand: Demand) -> Iterator[Clause]:
        providers = {
            provider
            for relation in demand.relations
            for provider in self.named.get(relation.name, ())
            if rules.satisfies(self.debs[provider - 1], relation, owner, self.native)
        }
        if number not in providers:
            yield Clause((-number, *sorted(providers)), Reason("depends", owner.name, owner.version, f"needs {demand}"))

    def _excludes(self, number: int, owner: DebPackage, demand: Demand) -> Iterator[Clause]:
        (relation,) = demand.relations
        verb = "breaks" if demand.field == "Breaks" else "conflicts with"
        for other in self.named.get(relation.name, ()):
            if rules.excluded(self.debs[other - 1], relation, owner, self.native):
                yield Clause((-number, -other), Reason("excludes", owner.name, owner.version, f"{verb} {demand}"))

    def one_version(self) -> Iterator[Clause]:
        for name in sorted(self.own):
            for one, other in combinations(self.own[name], 2):
                if not rules.together(self.debs[one - 1], self.debs[other - 1], self.native):
                    yield Clause((-one, -other), Reason("one-version", name, "", "can stand in one version only"))

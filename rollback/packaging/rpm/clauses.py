"""Clauses of rpm packages; `core.packaging.rpm.rules` decides what satisfies what. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from nornir_upgrade.core.packaging.rpm import rules
from nornir_upgrade.core.packaging.rpm.dependencies import RpmPackage, names_in, rpm
from nornir_upgrade.core.packaging.rpm.rich_dependencies import Capability, Dependency, cnf
from nornir_upgrade.core.version.evr import Flavour
from rollback.packaging.clauses import Clause, Reason
from rollback.packaging.protection import DNF, DnfConf


@dataclass(frozen=True, slots=True)
class RpmRules:
    """The `Rules` of a host that has rpm. `native` is its own architecture, `kernel` the running one; names in `several` are
    install-only: several of their versions may be installed side by side.
    """

    native: str
    several: frozenset[str] = frozenset()
    kernel: str = ""
    conf: DnfConf = DNF

    @property
    def flavour(self) -> Flavour:
        return "rpm"

    @property
    def own(self) -> frozenset[str]:
        return frozenset({"noarch", self.native})

    def read(self, name: str, arch: str, version: str, control: Iterable[tuple[str, str]]) -> RpmPackage:
        return rpm(name, arch, version, control)

    def essential(self, installed: Sequence[RpmPackage]) -> set[str]:
        return {package.name for package in installed if self.conf.protects(package.name)}

    def staying(self, installed: Sequence[RpmPackage]) -> Iterator[tuple[RpmPackage, str]]:
        return (
            (package, "is the running kernel, and is never removed")
            for package in self.conf.running(installed, self.kernel)
        )

    def clauses(self, packages: Sequence[RpmPackage]) -> Iterator[Clause]:
        """Requires, Conflicts and Obsoletes, and one version for each package that is not install-only."""
        maker = _Maker(packages)
        yield from maker.demands()
        yield from maker.one_version(self.several)


class _Maker:
    """The clauses of some packages, with indexes for repeated look-ups."""

    def __init__(self, rpms: Sequence[RpmPackage]) -> None:
        self.rpms = rpms
        self.own: dict[str, list[int]] = {}
        for number, package in enumerate(rpms, 1):
            self.own.setdefault(package.name, []).append(number)
        self.named = self._named(frozenset(_asked(rpms)))
        self._met: dict[Dependency, tuple[int, ...]] = {}

    def demands(self) -> Iterator[Clause]:
        for number, owner in enumerate(self.rpms, 1):
            for demand in owner.requires:
                yield from self._requires(number, owner, demand)
            for demand in owner.conflicts:
                yield from self._conflicts(number, owner, demand)
            for obsolete in owner.obsoletes:
                yield from self._obsoletes(number, owner, obsolete)

    def _requires(self, number: int, owner: RpmPackage, demand: Dependency) -> Iterator[Clause]:
        reason = Reason("depends", owner.name, owner.version, f"needs {demand}")
        for literals in cnf(demand, self._providers):
            if number not in literals:
                yield Clause((-number, *(literal for literal in literals if literal != -number)), reason)

    def _conflicts(self, number: int, owner: RpmPackage, demand: Dependency) -> Iterator[Clause]:
        """A package conflicts with what it provides itself only within a boolean expression: a plain one means the others."""
        reason = Reason("excludes", owner.name, owner.version, f"conflicts with {demand}")
        plain = isinstance(demand, Capability)
        for literals in cnf(demand, self._providers, holds=False):
            if number not in literals and not (plain and -number in literals):
                yield Clause((-number, *(literal for literal in literals if literal != -number)), reason)

    def _obsoletes(self, number: int, owner: RpmPackage, obsolete: Capability) -> Iterator[Clause]:
        reason = Reason("excludes", owner.name, owner.version, f"obsoletes {obsolete}")
        for other in self.own.get(obsolete.name, ()):
            if rules.obsoleted(self.rpms[other - 1], obsolete, owner):
                yield Clause((-number, -other), reason)

    def one_version(self, several: frozenset[str]) -> Iterator[Clause]:
        for name in sorted(self.own.keys() - several):
            for one, other in combinations(self.own[name], 2):
                if not rules.together(self.rpms[one - 1], self.rpms[other - 1]):
                    yield Clause((-one, -other), Reason("one-version", name, "", "can stand in one version only"))

    def _providers(self, dependency: Dependency) -> tuple[int, ...]:
        """The variables that meet a dependency on one package. They are cached: most dependencies are common."""
        providers = self._met.get(dependency)
        if providers is None:
            known = sorted({number for name in names_in(dependency) for number in self.named.get(name, ())})
            providers = tuple(number for number in known if rules.meets(self.rpms[number - 1], dependency))
            self._met[dependency] = providers
        return providers

    def _named(self, asked: frozenset[str]) -> dict[str, list[int]]:
        """Each name of `asked` -> the variables with that name, with it among their provided names, or among their files."""
        numbers: dict[str, list[int]] = {}
        for number, package in enumerate(self.rpms, 1):
            for name in sorted(
                asked & {package.name, *(capability.name for capability in package.provides), *(asked & package.files)}
            ):
                numbers.setdefault(name, []).append(number)
        return numbers


def _asked(rpms: Iterable[RpmPackage]) -> Iterator[str]:
    for package in rpms:
        for demand in (*package.requires, *package.conflicts):
            yield from names_in(demand)

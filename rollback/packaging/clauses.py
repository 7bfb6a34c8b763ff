"""Clause: one rule of a set of packages, with its reason; and `Rules`, the source of a format's clauses. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from nornir_upgrade.core.version.evr import Flavour

Rule = Literal["missing", "depends", "excludes", "one-version", "essential", "policy", "present", "kept"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a clause holds: `package` in `version` ('': in all versions) has the demand `text`."""

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


class Versioned(Protocol):
    """One version of one package, of any format."""

    @property
    def name(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def version(self) -> str: ...


V = TypeVar("V", bound=Versioned)


class Rules(Protocol[V]):
    """The rules for packages of one format. `own`: the architectures that count as the host's own."""

    @property
    def flavour(self) -> Flavour: ...
    @property
    def own(self) -> frozenset[str]: ...
    def read(self, name: str, arch: str, version: str, control: Iterable[tuple[str, str]]) -> V:
        """The package with the demands `control`, which an index or the host reports."""
        ...

    def clauses(self, packages: Sequence[V]) -> Iterator[Clause]:
        """The clauses over `packages`, of which the first is variable 1."""
        ...

    def essential(self, installed: Sequence[V]) -> set[str]:
        """The names that are never removed from a host with these packages."""
        ...

    def staying(self, installed: Sequence[V]) -> Iterator[tuple[V, str]]:
        """The packages that must stay in exactly this version, each with its reason."""
        ...

"""What can be had: versions of packages, where they are offered, and what they demand of others. Pure; a host is asked in `enquiry`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from nornir_upgrade.core.packaging.deb.dependencies import FIELDS

from .protection import DNF, DnfConf

ESCROW = "escrow"
"""The origin of what is kept by us."""

Control = tuple[tuple[str, str], ...]
"""The fields of a package that say what it demands of others, by name (`universe.FIELDS`, `rpmuniverse.FIELDS`)."""


def control_of(stanza: Mapping[str, str]) -> Control:
    """Those fields of a stanza that say what the package demands of others."""
    return tuple((name, stanza[name]) for name in FIELDS if stanza.get(name))


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """One version of one package that can be had. `origin` is the index that offers it, as its tool names it; `size` in bytes.

    `digest` is the SHA-256 of the package file, '' where the index does not say. `control`: what it demands of others.
    `labels`, for each repository that offers it, are what that goes by: the parts of its path, suite, component, codename, ….
    """

    name: str
    arch: str
    version: str
    origin: str
    digest: str = ""
    size: int = 0
    control: Control = ()
    labels: tuple[tuple[str, ...], ...] = ()

    @property
    def escrowed(self) -> bool:
        """Whether it comes out of escrow."""
        return self.origin == ESCROW


@dataclass(frozen=True, slots=True)
class Catalog:
    """Candidates by name, architecture and version; where several indexes offer the same, the first in their order counts.

    `present` is what the host's own dpkg or rpm says of the packages on it: what they demand of others, but no bytes. `dnf` is what its
    dnf is told of certain packages, where it has one.
    """

    candidates: Mapping[tuple[str, str, str], Candidate]
    present: Mapping[tuple[str, str, str], Control] = field(default_factory=dict)
    dnf: DnfConf = DNF

    def find(self, name: str, arch: str, version: str) -> Candidate | None:
        """Exactly this version (the same text), or `None`."""
        return self.candidates.get((name, arch, version))

    def with_more(self, more: Mapping[tuple[str, str, str], Candidate]) -> "Catalog":
        """This catalog, and of `more` what it does not have."""
        return replace(self, candidates={**more, **self.candidates}) if more else self


def catalog(
    candidates: Iterable[Candidate],
    present: Mapping[tuple[str, str, str], Control] | None = None,
    dnf: DnfConf = DNF,
) -> Catalog:
    """The catalog of `candidates`, which stand in the order of preference."""
    found: dict[tuple[str, str, str], Candidate] = {}
    for one in candidates:
        first = found.setdefault((one.name, one.arch, one.version), one)
        if first is not one:
            found[one.name, one.arch, one.version] = replace(first, labels=(*first.labels, *one.labels))
    return Catalog(found, present or {}, dnf)

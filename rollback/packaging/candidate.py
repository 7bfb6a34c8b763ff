"""Candidate: one available version of one package, with its origin and its demands on other packages. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .protection import DNF, DnfConf

ESCROW = "escrow"
"""The origin of candidates whose file is in escrow."""

Control = tuple[tuple[str, str], ...]
"""The fields of a package that say what it demands of others, by name (`FIELDS` of `core.packaging.{deb,rpm}.dependencies`)."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """One available version of one package. `origin`: the index that offers it, as its tool names it; `size` in bytes.

    `digest` is the SHA-256 of the package file, '' if the index has none. `control`: its demands on other packages.
    `labels`: for each repository that offers it, its names: the parts of its path, suite, component, codename, ….
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
        """Whether its file is in escrow."""
        return self.origin == ESCROW


@dataclass(frozen=True, slots=True)
class Catalog:
    """Candidates by name, architecture and version. If several indexes offer the same one, the first index counts.

    `present`: the demands of the installed packages, as the host's own dpkg or rpm reports them, without their files. `dnf`: the
    packages that the host's dnf protects or installs side by side.
    """

    candidates: Mapping[tuple[str, str, str], Candidate]
    present: Mapping[tuple[str, str, str], Control] = field(default_factory=dict)
    dnf: DnfConf = DNF

    def find(self, name: str, arch: str, version: str) -> Candidate | None:
        """Exactly this version (the same text), or `None`."""
        return self.candidates.get((name, arch, version))

    def with_more(self, more: Mapping[tuple[str, str, str], Candidate]) -> "Catalog":
        """This catalog, with those of `more` that it lacks."""
        return replace(self, candidates={**more, **self.candidates}) if more else self


def catalog(
    candidates: Iterable[Candidate],
    present: Mapping[tuple[str, str, str], Control] | None = None,
    dnf: DnfConf = DNF,
) -> Catalog:
    """The catalog of `candidates`, given in order of preference."""
    by_version: dict[tuple[str, str, str], Candidate] = {}
    for candidate in candidates:
        first = by_version.setdefault((candidate.name, candidate.arch, candidate.version), candidate)
        if first is not candidate:
            by_version[candidate.name, candidate.arch, candidate.version] = replace(
                first, labels=(*first.labels, *candidate.labels)
            )
    return Catalog(by_version, present or {}, dnf)


@dataclass(frozen=True, slots=True)
class Offer:
    """One version of one package in one repository, as a file of an unreachable machine lists it.

    A `Candidate` is one version, whoever offers it. An offer belongs to one repository, because a release is one repository.
    Its `arch` is '' if the file implies the machine's own architecture.

    `labels`: the names of the repository: the parts of its path, its suite, components, codename, label and origin. `control`:
    its demands on other packages; `None`: not known.
    """

    name: str
    arch: str
    version: str
    origin: str
    labels: tuple[str, ...]
    control: Control | None = None

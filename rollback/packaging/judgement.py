"""Judgements: the knowledge that a way back needs of a package format, and of a package manager, as one value each. Types only.

The values are `deb.judgement.DEB` and `rpm.judgement.RPM` of formats, `deb.judgement.APT` and `dnf.judgement.DNF4` of managers. The
`judgement` of a `core.packaging.format.Format` or a `core.packaging.family.Family` names its value; `registry` returns it. So one
registered `Family` carries both halves, and a manager of a known format brings nothing but its own.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.transport.sections import Section

from .candidate import Candidate, Control, Offer
from .clauses import Rules
from .listing import Listing
from .policy import VersionTable
from .protection import DnfConf
from .text import Text

Present = dict[tuple[str, str, str], Control]
"""What installed packages demand, by name, architecture and version."""
Owners = Mapping[tuple[str, str, str], tuple[str, ...]]
T = TypeVar("T")


class Demands(Protocol):
    """The demands in the fields of a package, for lists with only a part of the packages of a machine."""

    def provided(self, control: Control) -> Iterator[str]:
        """The names that the package provides, beside its own."""
        ...

    def within(self, control: Control, known: Collection[str]) -> Control:
        """`control` without its demands on packages that are not `known`."""
        ...

    def beyond(self, control: Control, known: Collection[str]) -> Iterator[str]:
        """The names of packages that are not `known` and that `control` demands."""
        ...

    def for_others(self, control: Control) -> Control:
        """What a package is for others, which hardly changes from one version to the next; and no demands."""
        ...


class Moved(Protocol):
    """One package that changes. `action` is `remove`, `rename` (`name` goes, `target_name` comes) or an action that installs it."""

    @property
    def name(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def installed(self) -> str: ...
    @property
    def target_name(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def hold(self) -> bool: ...


class Commands(Protocol):
    """The way back as shell lines for a person, in the words of the manager's own tool."""

    def of_host(self, want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
        """The transaction of a rollback on a host whose packages are `present`."""
        ...

    def of_list(self, moved: Sequence[Moved], native: str) -> tuple[str, ...]:
        """Commands for a machine that is known only from lists; none if nothing changes."""
        ...


class ArchWord(Protocol):
    """What follows a name to say its architecture; `several`: the list has the name in several architectures."""

    def __call__(self, arch: str, native: str, /, *, several: bool) -> str: ...


@dataclass(frozen=True, slots=True)
class FileReader(Generic[T]):
    """A parser of the output of one tool, and the lines that identify its files."""

    tells: Callable[[str], Any]
    parse: Callable[[Text], T]


@dataclass(frozen=True, slots=True)
class FileLists:
    """Lists of all files of a repository, for formats whose indexes leave most files out.

    `unlisted`: the paths that demands name and indexes omit. `complete` (candidates, list of files, its source, paths):
    the candidates, each with those of `paths` that it owns.
    """

    unlisted: Callable[[Iterable[Control]], frozenset[str]]
    complete: Callable[[Iterable[Candidate], bytes, str, Collection[str]], tuple[Candidate, ...]]


@dataclass(frozen=True, slots=True)
class ManagerJudgement:
    """One package manager, judged.

    - `tool`: what `-o` calls the manager's command. `commands`: the way back in the words of the tool.
    - `query` (boundary, bytes up to which an index comes along): the command that lists a host's indexes and what is present.
    - `conf`: reads from the answer what the manager is told of certain packages; None where the answer does not say it.
    """

    tool: str
    commands: Commands
    query: Callable[[str, int], tuple[str, ...]]
    conf: Callable[[Section], DnfConf] | None = None


@dataclass(frozen=True, slots=True)
class FormatJudgement:
    """One format of packages, judged.

    Words: `packages`: the packages in words; `arch_word`: how an architecture is written behind a name.

    A host that was asked:
    - `digests`: how many digests name an index: of the index, and of its list of files.
    - `present`: what the installed packages demand. `protection`: what managers protect where nothing says it.

    Indexes, lists and package files:
    - `candidates` (index, source, names): the packages of these names. `file_lists`: None where indexes say all.
    - `tells_index`: whether a file is an index of this format; `offers` (index, source, labels): all its packages.
    - `listings`, `tables`: readers of lists of installed packages and of available versions. `plain`: the reader of a list that no
      reader knows by a line.
    - `control_of_file` (file, source): the demands of a package file.

    Rules:
    - `rules` (architecture, running kernel, install-only names, protection): what packages are held to.
    - `demands`: what fields name of others.
    - `whole` (package as it is): whether its bytes are on the host, so that at most scripts must run.

    Habits:
    - `machine`: the name of an architecture that the kernel calls otherwise.
    - `bare_is_native`: a name without architecture means the machine's own. `arch_in_source`: a table of versions names the
      architecture with the source, and not with the package.
    - `own_units`: packages hold units of other names than theirs.
    - `beside`: endings of files that a transaction leaves beside edited configuration files when older packages come back.
    """

    packages: str
    arch_word: ArchWord
    digests: int
    present: Callable[[Section], Present]
    protection: DnfConf
    candidates: Callable[[bytes, str, Collection[str]], Iterator[Candidate]]
    tells_index: Callable[[bytes], bool]
    offers: Callable[[bytes, str, tuple[str, ...]], Iterable[Offer]]
    control_of_file: Callable[[BinaryIO, str], Control]
    rules: Callable[[str, str, frozenset[str], DnfConf], Rules[Any]]
    demands: Demands
    whole: Callable[[Package], bool]
    bare_is_native: bool
    arch_in_source: bool
    own_units: bool
    beside: tuple[str, ...] = ()
    file_lists: FileLists | None = None
    machine: Callable[[str], str] = str
    listings: tuple[FileReader[Listing], ...] = ()
    tables: tuple[FileReader[VersionTable], ...] = ()
    plain: Callable[[Text], Listing] | None = None

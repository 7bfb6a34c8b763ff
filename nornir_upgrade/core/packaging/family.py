"""Family: all that one package manager can do, as one value. Types only; the values are `deb.family.APT` and `dnf.family.DNF4`.

A host has a manager (`apt`, `dnf4`), and the manager has a format (`deb`, `rpm`). `registry` lists the managers. A third
one is a folder with a value of this type, and one call of `registry.register`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.transport.sections import Section

from .arrangement import Arrangement, Simulation
from .file_source import FileSource
from .format import Format
from .model import Package, PackageManager, PackageName, PackageWant, Repository
from .origins import Origin
from .state import Packaged

# A module meets most of these protocols by its constants and functions.


class FactsPart(Protocol):
    """What facts hold of packages. `SCRIPT` prints `PARTS` (`core.transport.sections`); only its answer has the part `SIGN`.

    `DIGEST` is shell text that lists the packages and prints nothing else: cheap, and read by `parse_digest`.
    """

    SIGN: str
    SCRIPT: str
    PARTS: tuple[str, ...]
    DIGEST: str

    def parse(self, sections: Mapping[str, Section]) -> Packaged: ...
    def parse_digest(self, text: str) -> tuple[Package, ...]: ...


class ProbePart(Protocol):
    """What the preflight asks beyond facts. `SCRIPT` prints `PARTS` and the common ones; each function reads one of them.

    `BYTES` is shell text that prints name, architecture and bytes of each installed package, parted by tabs.
    """

    BYTES: str
    SCRIPT: str
    PARTS: tuple[str, ...]

    def sizes(self, section: Section) -> Mapping[PackageName, int]: ...
    def edited(self, section: Section) -> tuple[str, ...]: ...
    def offered(self, section: Section) -> frozenset[tuple[str, str]] | None: ...
    def unchecked(self, section: Section) -> tuple[str, ...]: ...
    def reboot(self, sections: Mapping[str, Section], /) -> tuple[str, ...]: ...


class BelongingsPart(Protocol):
    """What packages name. `NAMED` prints the parts `named` and `owned`.

    `OWNED` sets `$owned` to all paths of packages below `$bases`."""

    NAMED: str
    OWNED: str


class PreviewPart(Protocol):
    """How the manager says what it would do with other repositories. `SCRIPT` takes `FORMAT` as its first argument."""

    FORMAT: str
    SCRIPT: str
    REHEARSAL: str
    UPDATE: str
    WAY_OUT: str

    def present(self, sections: Mapping[str, Section]) -> tuple[Package, ...]: ...
    def excluders(self, section: Section) -> Mapping[str, Sequence[str]]: ...
    def word(self, name: str, equals: str, version: str) -> str: ...
    def file_name(self, path: str) -> str: ...


class RehearsalPart(Protocol):
    """How the manager says what the way back would do after a plan. `SCRIPT` takes `FORMAT` as its first argument."""

    FORMAT: str
    SCRIPT: str
    UPDATE: str

    def present(self, section: Section) -> tuple[Package, ...]: ...
    def given(self, kind: str, one: Package) -> Sequence[str]: ...
    def unsafe(self, host: str, sections: Mapping[str, Section]) -> str: ...
    def file_name(self, path: str) -> str: ...


class CachePart(Protocol):
    """The manager's cache of package files, at `DIRECTORY`. `LIST` and `DROP` read file names from standard input.

    `DOWNLOAD` takes `FORMAT`, the repositories and, by `words`, the transaction as arguments.
    """

    DIRECTORY: str
    FORMAT: str
    LIST: str
    DROP: str
    DOWNLOAD: str
    COMMAND: str

    def words(self, want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]: ...
    def file_name(self, path: str) -> str: ...


class Delivery(Protocol):
    """How a transaction takes package files that lie on the host, and how it fetches and does nothing else."""

    program: str
    """The word of an argument vector behind which options stand."""
    transaction_word: str
    """The word by which a command is a transaction."""
    unfetched: str
    """What the manager says where a repository did not give a file."""
    download_only: tuple[str, ...]
    """Options with which a transaction only fetches; the last one names it in messages."""
    without_files: tuple[str, ...]
    """Options of a transaction that may need versions which no repository has, and for which no file is there."""

    def options(self, host: Host, paths: Sequence[str]) -> tuple[str, ...]:
        """Options with which a transaction takes the files `paths`. What these options need is on the host afterwards."""
        ...

    def offline(self, host: Host) -> AbstractContextManager[None]:
        """Within the block the manager works without a network."""
        ...


class Transactions(Protocol):
    """How one transaction is checked, simulated, carried out and judged. `rehearsal` is the simulating command in words, `log`
    the manager's own record, `audited` what `audit` found where it is empty."""

    rehearsal: str
    log: str
    audited: str

    def check(self, want: PackageWant) -> None:
        """Raises `InvalidInput` for what is no name, architecture, version or goal of this manager."""
        ...

    def wait_for_lock(self, host: Host) -> None:
        """Afterwards nobody changes packages on the host. Raises `PackageManagerLocked` after `LOCK_WAIT` seconds."""
        ...

    def check_protected(self, host: Host, removed: Collection[tuple[str, str, str]]) -> None:
        """Raises `SimulationDiffers` where one of the `removed` versions (name, architecture, version) must stay, and the manager
        itself would not refuse."""
        ...

    def simulate(self, host: Host, argv: Sequence[str]) -> Simulation:
        """What `argv` prints, which the manager made to simulate a transaction."""
        ...

    def arrange(self, host: Host, simulation: Simulation, *, downgrade: bool) -> Arrangement:
        """How the simulated transaction is carried out so that the host is usable at every moment. What that needs is on the host
        afterwards. Raises `UnsafeOrder`."""
        ...

    def commands(
        self, change: Sequence[Sequence[str]], keep_stopped: Sequence[str], arrangement: Arrangement
    ) -> tuple[tuple[str, ...], ...]:
        """The manager's commands, the first of which is the transaction, as a job.

        The job first repairs what a killed one left, does not let the services `keep_stopped` start, and loses no file.
        """
        ...

    def failure(self, host: str, result: Result, command: str) -> Failure:
        """The failure that `result` is, of `command` (in words)."""
        ...

    def error_in_output(self, host: str, result: Result) -> Failure | None:
        """The failure of a transaction, which may have ended with status 0; None where it succeeded."""
        ...

    def transaction_id(self, result: Result) -> str:
        """The name of a finished transaction in the host's own history; '' where it has none."""
        ...

    def audit(self, host: Host) -> str:
        """The packages that are not whole, in words; '' where there are none."""
        ...


@dataclass(frozen=True, slots=True)
class Update:
    """The command that fetches indexes, and its name in words."""

    argv: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file of repositories with other suites: all of its `text`, and the changed entries alone (`added`)."""

    text: str
    added: str


Renames = Sequence[tuple[str, str]]
"""Suites, old and new. Both have one `*`, which stands for the rest of the name, or neither has."""


class RepositoryFiles(Protocol):
    """The files that name repositories. Patterns are regular expressions for a whole path.

    - `path`: what a scenario may name, `what` in words; `place`: what a step may write, `place_words` in words.
    - `secret`: where a password is kept that a repository needs.
    - `directory`: where a file of ours is added; `main` the one file elsewhere, '' where there is none; `endings` of those read.
    - `in_place`: whether a file may be replaced by one of the same path; else `refusal` says why not.
    - `rewritable`: paths, or globs of them, of files whose suites may be rewritten, `rewritable_what` in words; '' where none may.
    - `pins`: how paths begin of files that give repositories priorities; '' where there are none.
    """

    path: str
    what: str
    place: str
    place_words: str
    secret: str
    directory: str
    main: str
    endings: tuple[str, ...]
    in_place: bool
    refusal: str
    rewritable: str
    rewritable_what: str
    pins: str

    def update(self, path: str, data: bytes) -> Update | None:
        """What fetches the indexes that the file names, and no others; None where it names none."""
        ...

    def forget(self, host: Host, path: str) -> None:
        """Afterwards the manager has no index of the file that may be outdated."""
        ...

    def rewrite(self, path: str, text: str, renames: Renames) -> Rewritten | None:
        """The file with its suites renamed; None where it names none of them."""
        ...


class OriginWords(Protocol):
    """How the manager is kept to origins. `fields` are those of `Origin` that it knows."""

    fields: tuple[str, ...]

    def narrow(self, origins: Sequence[Origin], repositories: Iterable[Repository]) -> str:
        """What keeps a request to `origins`, in the manager's own words."""
        ...

    def refusal(self, origins: Sequence[Origin]) -> str:
        """Why the manager cannot be asked for all of `origins` at once; '' where it can."""
        ...


class ConfigurationPart(Protocol):
    """What the manager does around a restore of configuration."""

    def conffiles(self, host: Host) -> tuple[str, ...]:
        """The configuration files that the manager remembers now, which must be absent before their package goes back."""
        ...

    def finish(self, host: Host) -> None:
        """Afterwards nothing waits that packages left to be done."""
        ...


@dataclass(frozen=True, slots=True)
class Remedies:
    """What is typed on a host. `tool` decides what is installed. `mend` repairs an interrupted transaction, `try_out` shows
    what would be done, `sources` where packages come from and what keeps some away. `release` takes holds off the names after it.
    `update` fetches indexes, `clean` frees disk space, `beside` is the ending of a new version beside edited configuration.
    `checking` makes the manager check signatures."""

    tool: str
    mend: str
    try_out: str
    sources: str
    release: str
    update: str
    clean: str
    beside: str
    checking: str

    def unhold(self, names: Sequence[str]) -> str:
        """What takes the holds off these packages."""
        return f"on the host: {self.release} {' '.join(names)}"


@dataclass(frozen=True, slots=True)
class Family:
    """One package manager. `own` is a shell test that holds on its hosts. `manager` makes argument vectors and parses output.

    `repair_indexes` repairs damaged indexes of a host, which may have another manager, and returns them; None where nothing needs it.
    `judgement` is where `rollback` finds its own value of this manager, as `pkgutil.resolve_name` reads it; '' where it has none.
    """

    name: str
    format: Format
    own: str
    manager: PackageManager
    transactions: Transactions
    facts: FactsPart
    probe: ProbePart
    belongings: BelongingsPart
    preview: PreviewPart
    rehearsal: RehearsalPart
    cache: CachePart
    files: FileSource
    delivery: Delivery
    repositories: RepositoryFiles
    origins: OriginWords
    configuration: ConfigurationPart
    remedies: Remedies
    repair_indexes: Callable[[Host], tuple[str, ...]] | None = None
    judgement: str = ""

    def present(self, host: Host) -> tuple[Package, ...]:
        """The packages of the host, as they are now."""
        return self.manager.parse_query(host.run(self.manager.query()).text)

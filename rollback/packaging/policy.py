"""Version table: the versions of packages that a tool lists, with their sources. Pure."""

from dataclasses import dataclass
from typing import Literal

from .text import Note

Kind = Literal["archive", "status"]


@dataclass(frozen=True, slots=True)
class VersionSource:
    """A source of a version. The kind `status` is the host's own list of installed packages, from which nothing can be fetched.

    `suite` is suite and component as apt writes them (`bookworm/main`), for dnf the repository's id. `raw` is the line, without
    the priority. None: the tool does not report it.
    """

    priority: int | None
    uri: str | None
    suite: str | None
    arch: str | None
    kind: Kind
    raw: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version with its pin priority. `phased` is the percentage of machines that get it, None for all."""

    version: str
    priority: int | None
    installed: bool
    sources: tuple[VersionSource, ...]
    phased: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyPackage:
    """A package as the tool names it: `libc6:i386` is apt's name for a foreign one."""

    package: str
    installed: str | None
    candidate: str | None
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class VersionTable:
    """The available versions by a file, in its order, and notes on its other lines. `family`: the name of the format."""

    family: str
    packages: tuple[PolicyPackage, ...]
    notes: tuple[Note, ...] = ()

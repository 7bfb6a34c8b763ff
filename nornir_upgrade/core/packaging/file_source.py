"""File source: what a host can give of package files. Types, and one parser; each manager has its own source (`Family.files`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nornir_upgrade.core.errors import InvalidInput

from .package_file import Check, PackageFile

GATHERED = "/var/lib/nornir-upgrade/gathered"
"""The directory of package files on a host until they are fetched: readable by root alone, and removed afterwards."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHECKS: Mapping[str, Check] = {"index": "index", "signature": "signature", "name": "name"}


@dataclass(frozen=True, slots=True)
class Held:
    """A file on a host, at `path`."""

    path: str
    digest: str
    size: int
    check: Check


@dataclass(frozen=True, slots=True)
class FileOffer:
    """How a host can give one package file. `digests` and `size` are those in the signed indexes of its repositories."""

    cached: Held | None = None
    offered: bool = False
    digests: tuple[str, ...] = ()
    size: int = 0


class FileSource(Protocol):
    """Commands and parsers of what they print; no I/O. All names in a command matched the family's grammar."""

    def look(self, files: Sequence[PackageFile]) -> tuple[tuple[str, ...], bytes]:
        """The command, and its standard input, that lists what the host can give of `files`. Reads only."""
        ...

    def parse_look(self, text: str, files: Sequence[PackageFile]) -> dict[PackageFile, FileOffer]:
        """What `look` printed. Raises `InvalidInput` where it is not whole."""
        ...

    def download(self, files: Sequence[PackageFile], size: int) -> tuple[str, ...]:
        """The command that has the host's repositories give `files`, `size` bytes in all, into `GATHERED`."""
        ...

    def rebuild(self, file: PackageFile) -> tuple[str, ...]:
        """The command that rebuilds `file` in `GATHERED` from the installed package, where that version is installed."""
        ...


def parse_held(text: str) -> dict[str, Held]:
    """The files in `GATHERED` that a job of a source lists, by file name: lines `held NAME CHECK DIGEST SIZE`, parted by tabs."""
    files = {}
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind == "held":
            held = held_of(fields, GATHERED)
            files[held.path.removeprefix(f"{GATHERED}/")] = held
    return files


def held_of(fields: Sequence[str], directory: str) -> Held:
    """The file with this NAME, CHECK, DIGEST and SIZE. Raises `InvalidInput` for anything else."""
    if len(fields) != 4 or not _DIGEST.fullmatch(fields[2]) or fields[1] not in _CHECKS or not fields[3].isdecimal():
        raise InvalidInput(f"no file is told of by {fields!r}")
    name, check, digest, size = fields
    return Held(f"{directory}/{name}", digest, int(size), _CHECKS[check])

"""Depot: what a host can give of package files, and the seam behind which the two families stand (`debdepot`, `rpmdepot`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.escrow.escrow import Check, PackageFile
from nornir_upgrade.core.transport.disk import full as full

DIRECTORY = "/var/lib/nornir-upgrade/gathered"
"""Where package files stand on a host until they are fetched: root's alone, and gone afterwards."""
RESERVE = 16 << 20
"""Bytes that gathering leaves free on a host, for others."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHECKS: Mapping[str, Check] = {"index": "index", "signature": "signature", "name": "name"}

# A job's beginning: private from the first byte, and nothing begun that does not fit. $1 directory, $2 bytes.
ROOM = """\
umask 077
mkdir -p -- "$1" && cd -- "$1" || exit
free=$(df --output=avail -B1 . | tail -n 1)
[ "$free" -ge "$2" ] || { echo "No space left on device: $1 has $free bytes free, $2 are needed"; exit 1; }
"""
# A job that downloads into `$cache`: it begins with room left there, and where it failed and there is none, it says so. What fails with
# a disk that is full says so in words of its own: curl's, dpkg's, apt's.
SPACE = f"""\
room() {{
  free=$(df --output=avail -B1 "$1" | tail -n 1)
  [ "${{free:-{RESERVE}}}" -ge {RESERVE} ] || echo "No space left on device: $1 has $free bytes free, {RESERVE} are to be left"
}}
short() {{ room "$cache"; room /var/tmp; exit "$1"; }}
said=$(room "$cache"; room /var/tmp); [ -z "$said" ] || {{ echo "$said"; exit 1; }}
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A file that stands on a host, at `path`."""

    path: str
    digest: str
    size: int
    check: Check


@dataclass(frozen=True, slots=True)
class Offer:
    """What a host can give of one package file. `digests` are what the signed indexes of its repositories say, `size` likewise."""

    cached: Held | None = None
    offered: bool = False
    digests: tuple[str, ...] = ()
    size: int = 0


class Depot(Protocol):
    """Commands and parsers of what they print; no I/O. All names in a command matched the family's grammar."""

    def look(self, files: Sequence[PackageFile]) -> tuple[tuple[str, ...], bytes]:
        """The command, and its standard input, that tells what the host can give of `files`. Reads only."""
        ...

    def parse_look(self, text: str, files: Sequence[PackageFile]) -> dict[PackageFile, Offer]:
        """What `look` printed. Raises `InvalidInput` where it is not whole."""
        ...

    def download(self, files: Sequence[PackageFile], size: int) -> tuple[str, ...]:
        """The command that has the host's repositories give `files`, `size` bytes in all, into `DIRECTORY`."""
        ...

    def rebuild(self, file: PackageFile) -> tuple[str, ...]:
        """The command that makes `file` anew in `DIRECTORY` of what is installed, where it is installed in that version."""
        ...


def parse_held(text: str) -> dict[str, Held]:
    """What a job of a depot says stands in `DIRECTORY`, by file name: lines `held NAME CHECK DIGEST SIZE`, parted by tabs."""
    found = {}
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind == "held":
            held = held_of(fields, DIRECTORY)
            found[held.path.removeprefix(f"{DIRECTORY}/")] = held
    return found


def held_of(fields: Sequence[str], directory: str) -> Held:
    """The file that NAME, CHECK, DIGEST and SIZE tell of. Raises `InvalidInput` for anything else."""
    if len(fields) != 4 or not _DIGEST.fullmatch(fields[2]) or fields[1] not in _CHECKS or not fields[3].isdecimal():
        raise InvalidInput(f"no file is told of by {fields!r}")
    name, check, digest, size = fields
    return Held(f"{directory}/{name}", digest, int(size), _CHECKS[check])

"""Picture: the state of every path on a host's own file systems, without times. Stored as one compressed object. Pure.

A record is text. It is decoded only if it differs: a host has some 10,000 of them, and few differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import msgspec
import zstandard

from nornir_upgrade.core.errors import InvalidInput

from .mounts import LeftOut

Aspect = Literal["presence", "kind", "content", "target", "mode", "owner", "xattrs", "device"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
"""The properties of a path that are compared. Times, sizes of directories and numbers of links are not."""

KINDS: Mapping[str, str] = {
    "f": "file",
    "d": "directory",
    "l": "symbolic link",
    "p": "named pipe",
    "s": "socket",
    "b": "block device",
    "c": "character device",
}
"""The letters of find(1)."""

_FORMAT = "1.0"
_NONE = "-"
_LATE = "late"
_FIELDS = 10


@dataclass(frozen=True, slots=True)
class PathState:
    """The state of a path. `digest`: SHA-256 of a file's bytes, '' if they could not be read.

    - `meaning`: the digest of the sorted text, of the few files whose order of lines or stanzas has no meaning.
    - `late`: the file changed while the picture was taken.
    - `xattrs`: `name=hex,…`, sorted. `device`: major:minor in hexadecimal.
    """

    kind: str
    mode: str
    owner: str
    digest: str = ""
    meaning: str = ""
    device: str = ""
    late: bool = False
    xattrs: str = ""
    target: str = ""

    def record(self) -> str:
        """The text of this state, for `read`."""
        late = _LATE if self.late else ""
        fields = (
            self.kind,
            self.mode,
            *self.owner.split(":"),
            self.digest,
            self.meaning,
            self.device,
            late,
            self.xattrs,
        )
        return " ".join((*(field or _NONE for field in fields), self.target))

    @staticmethod
    def read(record: str) -> "PathState":
        """The state in a record. Raises `InvalidInput` if the text is no record."""
        fields = record.split(" ", _FIELDS - 1)
        if len(fields) != _FIELDS:
            raise InvalidInput(f"not a record of a file: {record[:80]!r}")
        kind, mode, user, group, digest, meaning, device, late, xattrs = (
            "" if field == _NONE else field for field in fields[:-1]
        )
        return PathState(kind, mode, f"{user}:{group}", digest, meaning, device, late == _LATE, xattrs, fields[-1])


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a picture: the file systems that it covers and leaves out.

    `xattrs`: the program that read extended attributes, '' if there was none. `vanished`: the number of files that were removed
    while the picture was taken; it does not contain them.
    """

    format: str = _FORMAT
    roots: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    xattrs: str = ""
    vanished: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """`records` by path. Both may hold surrogates, for bytes that are not UTF-8."""

    head: Head
    records: Mapping[str, str]

    def entry(self, path: str) -> PathState | None:
        """The state of `path`, or `None` if it does not exist."""
        record = self.records.get(path)
        return PathState.read(record) if record is not None else None


@dataclass(frozen=True, slots=True)
class PathChange:
    """A path at which two pictures differ, and in which aspects."""

    path: str
    aspects: tuple[Aspect, ...]
    before: PathState | None
    after: PathState | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The number of compared paths, the differences, and the files whose contents could not be compared (`unread`)."""

    paths: int
    changes: tuple[PathChange, ...]
    unread: tuple[str, ...] = ()


def pack(picture: Picture) -> bytes:
    """The object for `unpack`. Equal pictures give equal bytes."""
    head = msgspec.json.encode(picture.head, order="sorted").decode()
    parts = [head]
    for path in sorted(picture.records):
        parts += (path, picture.records[path])
    return zstandard.ZstdCompressor(level=3).compress("\0".join(parts).encode("utf-8", "surrogateescape"))


def unpack(data: bytes, source: str) -> Picture:
    """The picture in an object. Raises `InvalidInput`, naming `source`, if it is no picture of a known format."""
    try:
        text = zstandard.ZstdDecompressor().decompress(data).decode("utf-8", "surrogateescape")
        head, *fields = text.split("\0")
        decoded = msgspec.json.decode(head, type=Head)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{source}: no picture: {error}") from None
    if decoded.format.partition(".")[0] != _FORMAT.partition(".")[0] or len(fields) % 2:
        raise InvalidInput(f"{source}: a picture of format {decoded.format}", hint="it may come from another version")
    pairs = iter(fields)
    return Picture(decoded, dict(zip(pairs, pairs, strict=True)))


def compare(a: Picture, b: Picture) -> Comparison:
    """The differences between `a` and the later `b`, sorted by path. Contents that either could not read are not compared."""
    paths = a.records.keys() | b.records.keys()
    outside = _only_of_one(a.head, b.head)
    differing = sorted(
        path for path in paths if a.records.get(path) != b.records.get(path) and not _below(path, outside)
    )
    changes, unread = [], []
    for path in differing:
        before, after = a.entry(path), b.entry(path)
        if before and after and before.kind == after.kind == "f" and not (before.digest and after.digest):
            unread.append(path)
            before, after = replace(before, digest=""), replace(after, digest="")
        if aspects := _aspects(before, after, bool(a.head.xattrs and b.head.xattrs)):
            changes.append(PathChange(path, aspects, before, after))
    return Comparison(len(paths), tuple(changes), tuple(unread))


def _only_of_one(a: Head, b: Head) -> frozenset[str]:
    """The mount points that only one of the two pictures covers."""
    differing = {*a.left_out} ^ {*b.left_out}
    return frozenset(mount.point for mount in differing) & frozenset((*a.roots, *b.roots))


def _below(path: str, points: frozenset[str]) -> bool:
    return bool(points) and any(path == point or path.startswith(f"{point.rstrip('/')}/") for point in points)


def _aspects(before: PathState | None, after: PathState | None, xattrs: bool) -> tuple[Aspect, ...]:
    if before is None or after is None:
        return ("presence",)
    if before.kind != after.kind:
        return ("kind",)
    return tuple(_differing(before, after, xattrs))


def _differing(before: PathState, after: PathState, xattrs: bool) -> Iterator[Aspect]:
    if before.digest != after.digest:
        yield "content"
    if before.target != after.target:
        yield "target"
    if before.mode != after.mode:
        yield "mode"
    if before.owner != after.owner:
        yield "owner"
    if xattrs and before.xattrs != after.xattrs:
        yield "xattrs"
    if before.device != after.device:
        yield "device"

"""A picture: what stands at every path of a host's own file systems, without its times. Kept as one compressed object. Pure.

A record is text, and is decoded only where it differs: a host has some 10,000 of them, and few are looked at.
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
"""All that is compared of a path. Times, sizes of directories and numbers of links are not."""

KINDS: Mapping[str, str] = {
    "f": "file",
    "d": "directory",
    "l": "symbolic link",
    "p": "named pipe",
    "s": "socket",
    "b": "block device",
    "c": "character device",
}
"""find(1)'s letters."""

_FORMAT = "1.0"
_NONE = "-"
_LATE = "late"
_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a path. `digest` is the SHA-256 of a file's bytes, '' where they could not be read.

    `meaning` is the digest of what a file says, for the few whose order of lines or stanzas says nothing; `late` a file that
    changed while the picture was taken. `xattrs` is `name=hex,…`, sorted; `device` major:minor in hexadecimal.
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
        """The text that `read` understands."""
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
    def read(record: str) -> "Entry":
        """The entry of a record. Raises `InvalidInput` where it is none."""
        fields = record.split(" ", _FIELDS - 1)
        if len(fields) != _FIELDS:
            raise InvalidInput(f"no record of a file: {record[:80]!r}")
        kind, mode, user, group, digest, meaning, device, late, xattrs = (
            "" if one == _NONE else one for one in fields[:-1]
        )
        return Entry(kind, mode, f"{user}:{group}", digest, meaning, device, late == _LATE, xattrs, fields[-1])


@dataclass(frozen=True, slots=True)
class Head:
    """What a picture was taken of, and what it leaves out. `xattrs` is the program that read them, '' where none could.

    `vanished` counts the files that went while they were read: they are in no picture.
    """

    format: str = _FORMAT
    roots: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    xattrs: str = ""
    vanished: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """`records` by path; both may hold surrogates, which stand for bytes that are no UTF-8."""

    head: Head
    records: Mapping[str, str]

    def entry(self, path: str) -> Entry | None:
        """What stands at `path`, `None` where nothing does."""
        record = self.records.get(path)
        return Entry.read(record) if record is not None else None


@dataclass(frozen=True, slots=True)
class Change:
    """A path at which two pictures differ, and in which aspects."""

    path: str
    aspects: tuple[Aspect, ...]
    before: Entry | None
    after: Entry | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many paths were compared, what differs, and of which files the contents could not be compared."""

    paths: int
    changes: tuple[Change, ...]
    unread: tuple[str, ...] = ()


def pack(picture: Picture) -> bytes:
    """The object that `unpack` understands; the same bytes for the same picture."""
    head = msgspec.json.encode(picture.head, order="sorted").decode()
    parts = [head]
    for path in sorted(picture.records):
        parts += (path, picture.records[path])
    return zstandard.ZstdCompressor(level=3).compress("\0".join(parts).encode("utf-8", "surrogateescape"))


def unpack(data: bytes, source: str) -> Picture:
    """The picture in an object. Raises `InvalidInput`, naming `source`, where it holds none that this version knows."""
    try:
        text = zstandard.ZstdDecompressor().decompress(data).decode("utf-8", "surrogateescape")
        head, *fields = text.split("\0")
        known = msgspec.json.decode(head, type=Head)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{source}: no picture: {error}") from None
    if known.format.partition(".")[0] != _FORMAT.partition(".")[0] or len(fields) % 2:
        raise InvalidInput(f"{source}: a picture of format {known.format}", hint="it may come from another version")
    pairs = iter(fields)
    return Picture(known, dict(zip(pairs, pairs, strict=True)))


def compare(a: Picture, b: Picture) -> Comparison:
    """What differs from `a` to the later `b`, sorted by path. What one of the two could not read is not compared."""
    paths = a.records.keys() | b.records.keys()
    outside = _only_of_one(a.head, b.head)
    differing = sorted(
        path for path in paths if a.records.get(path) != b.records.get(path) and not _below(path, outside)
    )
    changes, unread = [], []
    for path in differing:
        one, other = a.entry(path), b.entry(path)
        if one and other and one.kind == other.kind == "f" and not (one.digest and other.digest):
            unread.append(path)
            one, other = replace(one, digest=""), replace(other, digest="")
        if aspects := _aspects(one, other, bool(a.head.xattrs and b.head.xattrs)):
            changes.append(Change(path, aspects, one, other))
    return Comparison(len(paths), tuple(changes), tuple(unread))


def _only_of_one(a: Head, b: Head) -> frozenset[str]:
    """The mount points that only one of the two looked at."""
    return frozenset(one.point for one in {*a.left_out} ^ {*b.left_out}) & frozenset((*a.roots, *b.roots))


def _below(path: str, points: frozenset[str]) -> bool:
    return bool(points) and any(path == point or path.startswith(f"{point.rstrip('/')}/") for point in points)


def _aspects(one: Entry | None, other: Entry | None, xattrs: bool) -> tuple[Aspect, ...]:
    if one is None or other is None:
        return ("presence",)
    if one.kind != other.kind:
        return ("kind",)
    return tuple(_differing(one, other, xattrs))


def _differing(one: Entry, other: Entry, xattrs: bool) -> Iterator[Aspect]:
    if one.digest != other.digest:
        yield "content"
    if one.target != other.target:
        yield "target"
    if one.mode != other.mode:
        yield "mode"
    if one.owner != other.owner:
        yield "owner"
    if xattrs and one.xattrs != other.xattrs:
        yield "xattrs"
    if one.device != other.device:
        yield "device"

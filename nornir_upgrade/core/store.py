"""Store: bytes, each object named by its SHA-256. Holds what a way back needs: configuration, dumps, package files.

An object is 0600 in 0700 directories from its first byte. It is written beside its place, synced, and renamed. Its digest is
verified when it is written and when it is read. An object is therefore whole or absent.
"""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import DigestMismatch, DiskFull, Unobtainable

CHUNK = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_INCOMING = ".incoming-"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def digest_of(data: bytes) -> str:
    """SHA-256 of `data`, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Store:
    """Objects below `root`, fanned out by the first two digits of their digest."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes) -> str:
        """Afterwards `data` is on disk. Returns its digest."""

        def write(sink: BinaryIO) -> None:
            sink.write(data)

        return self.fill(write)

    def fill(self, writer: Callable[[BinaryIO], None], *, expected: str = "") -> str:
        """Stores what `writer` writes into the file that it gets. Returns the digest. If `writer` raises, nothing is stored.

        Raises `DigestMismatch` if the digest is not `expected` ('' accepts any), `DiskFull` if the object does not fit.
        """
        with self._room(), self._incoming() as name:
            with name.open("r+b") as file:
                writer(file)
                digest = _digest(file)
                os.fsync(file.fileno())
            if expected not in ("", digest):
                raise DigestMismatch(f"the received bytes are {digest}, not {expected}", hint="none of them were kept")
            self._adopt(name, digest)
        return digest

    @contextmanager
    def _incoming(self) -> Iterator[Path]:
        """A new file beside the objects. It is removed afterwards unless it became an object."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.root, prefix=_INCOMING)  # mkstemp: 0600, exclusive
        os.close(handle)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise DiskFull(
                f"{self.root}: {error.strerror}", hint="make room there, then continue; objects stored before are whole"
            ) from None

    def get(self, digest: str) -> bytes:
        """The bytes of an object. Raises `Unobtainable` if the store lacks it, `DigestMismatch` if it is damaged."""
        with self.open(digest) as file:
            return file.read()

    @contextmanager
    def open(self, digest: str) -> Iterator[BinaryIO]:
        """The object as a file, positioned at its start and verified. Raises as `get`."""
        path = self._path(digest)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise self._absent(digest) from None
        with file:
            if _digest(file) != digest:
                raise DigestMismatch(f"object {digest} is damaged", hint=f"replace {path} from a backup")
            file.seek(0)
            yield file

    def size(self, digest: str) -> int:
        """The size of an object in bytes. Raises `Unobtainable` if the store lacks it."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            raise self._absent(digest) from None

    def digests(self) -> Iterator[str]:
        """The digests of all objects, by their names. Verifies none of them."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            if _DIGEST.fullmatch(path.name) and path.parent.name == path.name[:2]:
                yield path.name

    def damaged(self, digest: str) -> str:
        """What is wrong with an object, in words; '' if it is whole."""
        try:
            with self.open(digest):
                return ""
        except (DigestMismatch, Unobtainable) as failure:
            return failure.message

    def remove(self, digest: str) -> None:
        """Afterwards the object is removed, on disk too."""
        path = self._path(digest)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            _sync_directory(path.parent)

    def sweep(self) -> None:
        """Removes files of objects that were never completed. Call it only while nobody writes."""
        for path in self.root.glob(f"{_INCOMING}*"):
            path.unlink(missing_ok=True)

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).exists()

    def _absent(self, digest: str) -> Unobtainable:
        return Unobtainable(f"the store holds no object {digest}", hint=f"looked in {self.root}")

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest

    def _adopt(self, incoming: Path, digest: str) -> None:
        place = self._path(digest)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        incoming.replace(place)
        for directory in (place.parent, self.root):
            _sync_directory(directory)


def _digest(file: BinaryIO) -> str:
    file.flush()
    file.seek(0)
    total = hashlib.sha256()
    while piece := file.read(CHUNK):
        total.update(piece)
    return total.hexdigest()


def _sync_directory(path: Path) -> None:
    """A rename is durable once its directory is synced (fsync(2))."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

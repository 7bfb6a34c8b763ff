"""Content-addressed store: bytes under their SHA-256. Keeps what undo would need: configuration, dumps, packages.

Every object is 0600 in 0700 directories from its first byte, written beside its place and renamed after fsync, and
verified on the way in and out. An object is therefore whole or absent.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import DigestMismatch, Unobtainable

CHUNK = 1 << 20


def digest_of(data: bytes) -> str:
    """SHA-256 of `data`, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Store:
    """Objects below `root`, fanned out by the first two digits of their digest."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes) -> str:
        """Afterwards `data` is kept durably; returns its digest."""

        def write(sink: BinaryIO) -> None:
            sink.write(data)

        return self.fill(write)

    def fill(self, writer: Callable[[BinaryIO], None]) -> str:
        """Keep what `writer` writes into the file it is given; returns its digest. Nothing is kept when `writer` raises."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.root, prefix=".incoming-")  # mkstemp: 0600, exclusive
        try:
            with os.fdopen(handle, "w+b") as file:
                writer(file)
                digest = _digest(file)
                os.fsync(file.fileno())
            self._adopt(Path(name), digest)
        finally:
            Path(name).unlink(missing_ok=True)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes under `digest`. Raises `Unobtainable` when not kept, `DigestMismatch` when damaged."""
        with self.open(digest) as file:
            return file.read()

    @contextmanager
    def open(self, digest: str) -> Iterator[BinaryIO]:
        """The object as a file at its start, verified first. Raises as `get`."""
        path = self._path(digest)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise Unobtainable(f"the store holds no object {digest}", hint=f"looked in {self.root}") from None
        with file:
            if _digest(file) != digest:
                raise DigestMismatch(f"object {digest} is damaged", hint=f"replace {path} from a backup")
            file.seek(0)
            yield file

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).exists()

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

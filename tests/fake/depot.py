"""Hosts that hold nothing but package files, for what is said of fetching them: a depot of their own words, and bytes counted."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO, TypeVar

from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.escrow.escrow import PackageFile
from nornir_upgrade.core.packaging.deb import index_repair, transaction
from nornir_upgrade.core.packaging.file_source import DIRECTORY, Held, Offer
from nornir_upgrade.core.store import digest_of
from nornir_upgrade.core.transport.host import Result

T = TypeVar("T")
CACHE = "/cache"


def content(file: PackageFile, size: int = 100) -> bytes:
    """What an archive has as `file`."""
    return hashlib.sha256(str(file).encode()).digest() * (size // 32 + 1)


@lru_cache(maxsize=1 << 12)
def digest_in_index(file: PackageFile, size: int) -> str:
    """Of those bytes."""
    return digest_of(content(file, size))


@dataclass(slots=True)
class StubHost:
    """A host with package files: in its cache, in its repositories (which tell the digest), or only installed.

    `lies` come with other bytes than the index says, `vanished` are in the index and do not come. `full` has no room to gather
    anything; `lost` is what it fails with at whatever is asked. `damaged` are its indexes that broke, until they are fetched again.
    """

    name: str
    cache: set[PackageFile] = field(default_factory=set)
    repositories: set[PackageFile] = field(default_factory=set)
    installed: set[PackageFile] = field(default_factory=set)
    lies: set[PackageFile] = field(default_factory=set)
    vanished: set[PackageFile] = field(default_factory=set)
    full: bool = False
    lost: Failure | None = None
    damaged: list[str] = field(default_factory=list)
    size: int = 100
    stands: dict[str, bytes] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        if self.lost:
            raise self.lost
        if index_repair.DAMAGED in argv:
            return Result(0, "".join(f"{path}\n" for path in self.damaged).encode(), b"")
        if index_repair.MEND in argv:
            self.damaged.clear()
            return Result(0, b"", b"")
        if transaction.QUIET in argv:
            return Result(0, b"", b"")
        if argv[0] == "rm":
            self.stands = {path: data for path, data in self.stands.items() if not path.startswith(DIRECTORY)}
            return Result(0, b"", b"")
        told = {}
        for file in map(_file, json.loads(argv[1])):
            cached = self._held(CACHE, file) if file in self.cache else None
            told[str(file)] = [cached, file in self.repositories, digest_in_index(file, self.size)]
        return Result(0, json.dumps(told).encode(), b"")

    def _held(self, directory: str, file: PackageFile) -> list[object]:
        data = b"lie" if file in self.lies else content(file, self.size)
        path = f"{directory}/{file.file_name}"
        self.stands[path] = data
        return [path, digest_of(data), len(data)]

    def job(self, name: str, commands: Sequence[Sequence[str]], *, timeout: float = 3600.0) -> Result:
        ((what, files),) = commands
        if self.full:
            return Result(1, b"No space left on device: it is full\n", b"")
        able = self.repositories if what == "download" else self.installed
        held = [self._held(DIRECTORY, file) for file in map(_file, json.loads(files)) if file in able - self.vanished]
        lines = [f"held\t{str(path).rpartition('/')[2]}\tindex\t{digest}\t{size}\n" for path, digest, size in held]
        lines += [f"404 {file}\n" for file in map(_file, json.loads(files)) if file in self.vanished]
        return Result(0, "".join(lines).encode(), b"")

    def follow(self, prefix: str, *, timeout: float = 3600.0) -> None:
        """Nothing runs."""

    def forget(self, prefix: str) -> None:
        """Nothing is remembered."""

    def download(self, path: str, sink: BinaryIO) -> None:
        data = self.stands[path]
        self.moved.append(path.rpartition("/")[2])
        sink.write(data)


class StubDepot:
    """The words that `StubHost` understands."""

    def look(self, files: Sequence[PackageFile]) -> tuple[tuple[str, ...], bytes]:
        return ("look", _text(files)), b""

    def parse_look(self, text: str, files: Sequence[PackageFile]) -> dict[PackageFile, Offer]:
        told = json.loads(text)
        return {file: _offer(*told[str(file)]) for file in files}

    def download(self, files: Sequence[PackageFile], size: int) -> tuple[str, ...]:
        return ("download", _text(files))

    def rebuild(self, file: PackageFile) -> tuple[str, ...]:
        return ("rebuild", _text([file]))


@dataclass(slots=True)
class StubFleet:
    """Those hosts, each in a thread of its own."""

    hosts: Mapping[str, StubHost]
    asked: list[str] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    def each(self, names: Sequence[str], act: Callable[[Any], T]) -> Mapping[str, T | Exception]:
        def one(name: str) -> T | Exception:
            try:
                return act(self.hosts[name])
            except Exception as error:
                return error

        with self._lock:
            self.asked += names
        with ThreadPoolExecutor(max(1, len(names))) as pool:
            return dict(zip(names, pool.map(one, names), strict=True))


def _offer(cached: list[Any] | None, offered: bool, digest: str) -> Offer:
    held = Held(cached[0], cached[1], cached[2], "index" if cached[1] == digest else "name") if cached else None
    return Offer(held, offered, (digest,) if offered else (), cached[2] if cached else 0)


def _text(files: Sequence[PackageFile]) -> str:
    return json.dumps([[file.family, file.name, file.arch, file.version] for file in files])


def _file(fields: Sequence[Any]) -> PackageFile:
    return PackageFile(*fields)

"""A host that holds package files and keeps copies of its own: what is sent to it and what it sends is counted."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from nornir_upgrade.core.errors import DiskFull
from nornir_upgrade.core.escrow import host_copies
from nornir_upgrade.core.escrow.host_copies import DIRECTORY
from nornir_upgrade.core.store import digest_of
from nornir_upgrade.core.transport.host import FileState, Result
from tests.fake.depot import StubHost


@dataclass(slots=True)
class Keeper(StubHost):
    """`room`: bytes that copies may take, of which others take the `stolen` ones when nobody looks; `sent` are the digests that came
    over the connection."""

    room: int = 1 << 30
    stolen: int = 0
    sent: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        if self.lost:
            raise self.lost
        if argv[0] == "rm" and DIRECTORY in argv[-1]:
            for path in argv[3:]:
                self.stands.pop(path, None)
            return Result(0, b"", b"")
        if argv[0] != "sh":
            return StubHost.run(self, argv, stdin=stdin, timeout=timeout, check=check)
        act = {host_copies.LOOK: self._looked, host_copies.TAKE: self._taken, host_copies.HEADS: self._heads}
        return act[argv[2]](argv[4:], stdin.decode().splitlines())

    def copies(self) -> set[str]:
        """The digests under which copies stand."""
        return {path.rpartition("/")[2] for path in self.stands if path.startswith(DIRECTORY)}

    def damage(self, digest: str) -> None:
        self.stands[f"{DIRECTORY}/{digest}"] = b"damaged"

    def upload(self, source: BinaryIO, path: str, *, mode: str = "0600") -> None:
        data = source.read()
        if self._used() + len(data) > (self.stolen or self.room):
            raise DiskFull(f"{self.name}: cat: write error: No space left on device")
        self.stands[path] = data
        self.sent.append(path.rpartition("/")[2])

    def place(self, state: FileState) -> None:
        """Of directories nothing is known."""

    def _used(self) -> int:
        return sum(len(data) for path, data in self.stands.items() if path.startswith(DIRECTORY))

    def _looked(self, _: Sequence[str], digests: Sequence[str]) -> Result:
        found = ((digest, self.stands.get(f"{DIRECTORY}/{digest}")) for digest in digests)
        return _told(f"{digest_of(data)}  {digest}" for digest, data in found if data is not None)

    def _taken(self, arguments: Sequence[str], lines: Sequence[str]) -> Result:
        if self._used() + (int(arguments[1]) - host_copies.RESERVE) // 2 > self.room:
            return Result(1, b"No space left on device: it is full\n", b"")
        for digest, _, path in (line.partition("\t") for line in lines):
            if digest_of(self.stands[path]) == digest:
                self.stands[f"{DIRECTORY}/{digest}"] = self.stands[path]
        return Result(0, b"", b"")

    def _heads(self, _: Sequence[str], digests: Sequence[str]) -> Result:
        return _told(f"{one}\t{b64encode(self.stands[f'{DIRECTORY}/{one}']).decode()}" for one in digests)


def _told(lines: object) -> Result:
    return Result(0, "".join(f"{line}\n" for line in (*lines, "== end")).encode(), b"")  # type: ignore[misc]

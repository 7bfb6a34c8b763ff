"""Query: asks one host for the digests of its indexes with the old repositories restored, and for the demands of its installed
packages. Reads only; one round trip.

The name of an index is the SHA-256 of its file on the host, which is mostly packed. The answer includes small indexes. The fleet needs
each other index only once, so it is fetched by name (`fetch`). The judgement of the package manager has its command (`query`).
"""

import tempfile
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from nornir_upgrade.core.errors import DigestMismatch, HostUnreadable, InvalidInput
from nornir_upgrade.core.store import digest_of
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.sections import new_boundary
from rollback.packaging.registry import manager_judgement

from .reply import Reply, parse

Sources = Mapping[str, str | None]
"""Source files that are not to count as they are on the host: path -> text, `None` for one that is not there."""

_TIMEOUT = 900.0  # seconds; fetching the indexes of a slow archive
_SMALL = 1 << 16  # bytes of an index that comes along: less than another round trip costs


@dataclass(frozen=True, slots=True)
class Wanted:
    """The query for a host: packages by name, and the source files to replace or ignore.

    `escrowed`: some of its package files are in escrow, so old repositories may no longer answer.
    """

    sources: Sources
    names: frozenset[str]
    manager: str = "apt"
    escrowed: bool = False

    @property
    def without_sources(self) -> "Wanted":
        """The same query without these source files."""
        return replace(self, sources=dict.fromkeys(self.sources))


# stdin, for every manager: `have DIGEST`, `want DIGEST`, `present PATH TEXT`, `absent PATH` a line, the last two in base64. Where a
# digest is wanted, what is printed are these files alone, each after its digest and size.


def ask(host: Host, wanted: Wanted, have: Iterable[str] = ()) -> Reply:
    """The reply of `host` as if its source files were those of `wanted`. Of indexes in `have` it has only the digest.

    The host does not change. Raises `CommandFailed` if an index cannot be fetched or verified.
    """
    boundary = new_boundary()
    lines = [*(f"have {digest}" for digest in sorted(set(have))), *_source_lines(wanted.sources)]
    argv = manager_judgement(wanted.manager).query(boundary, _SMALL)
    text = host.run(argv, stdin=_stdin(lines), timeout=_TIMEOUT).text
    try:
        return parse(text, boundary, wanted.manager)
    except InvalidInput as refusal:
        raise HostUnreadable(f"{host.name}: what can be had: {refusal.message}", hint=refusal.hint) from None


def fetch(host: Host, wanted: Wanted, digests: Collection[str]) -> dict[str, bytes]:
    """The index files of these digests from `host`, which reported the digests before. Raises `DigestMismatch`."""
    lines = [*(f"want {digest}" for digest in sorted(digests)), *_source_lines(wanted.sources)]
    with tempfile.TemporaryFile() as answer:  # those of one architecture have some 50 MB
        host.stream(manager_judgement(wanted.manager).query("-", 0), answer, stdin=_stdin(lines), timeout=_TIMEOUT)
        answer.seek(0)
        files = dict(_files(host.name, answer))
    for digest in digests:
        if digest_of(files.get(digest, b"")) != digest:
            raise DigestMismatch(f"{host.name}: an index changed while it was fetched", hint="do it again")
    return {digest: files[digest] for digest in digests}


def _files(name: str, answer: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Each file with its digest. Raises `InvalidInput` if the answer is malformed."""
    while head := answer.readline():
        digest, _, size = head.decode("ascii", "replace").removesuffix("\n").partition(" ")
        if not size.isascii() or not size.isdecimal() or len(data := answer.read(int(size))) < int(size):
            raise InvalidInput(f"{name}: the answer is cut off, or is no index")
        yield digest, data


def _source_lines(sources: Sources) -> Iterator[str]:
    for path, text in sorted(sources.items()):
        yield f"absent {_base64(path)}" if text is None else f"present {_base64(path)} {_base64(text)}"


def _stdin(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogateescape")).decode()

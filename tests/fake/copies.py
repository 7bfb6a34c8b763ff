"""What a fake host does with the copies that it keeps for its own way back: the scripts of `core.copies`, over its files."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from nornir_upgrade.core.escrow import host_copies
from nornir_upgrade.core.transport.host import Result
from tests.fake import files
from tests.fake.state import File, HostState

if TYPE_CHECKING:
    from tests.fake.programs import Call


_DISK = 1 << 40


def look(state: HostState, call: "Call") -> Result:
    lines = [
        f"{sha256(file.data).hexdigest()}  {digest}\n"
        for digest in call.stdin.decode().split()
        if (file := state.files.get(f"{call.argv[0]}/{digest}"))
    ]
    return Result(0, "".join((*lines, "== end\n")).encode(), b"")


def take(state: HostState, call: "Call") -> Result:
    """Room there is for whatever is no nonsense."""
    directory, size = call.argv
    if int(size) > _DISK:
        return Result(1, f"No space left on device: {directory}\n".encode(), b"")
    files.make_directories(state, directory)
    files.make_directory(state, directory, "0700", "root", "root")
    for digest, path in _pairs(call):
        if (data := state.files[path].data) and sha256(data).hexdigest() == digest:
            files.put(state, f"{directory}/{digest}", File("file", "0600", data=data))
    return Result(0, b"", b"")


def lend(state: HostState, call: "Call") -> Result:
    for digest, path in _pairs(call):
        file = state.files.get(f"{call.argv[0]}/{digest}")
        if file and sha256(file.data).hexdigest() == digest:
            files.put(state, path, File("file", "0600", data=file.data))
    return Result(0, b"", b"")


def heads(state: HostState, call: "Call") -> Result:
    """Of .debs alone."""
    digests = call.stdin.decode().split()
    found = [_head(state.files[f"{call.argv[0]}/{digest}"].data) for digest in digests]
    lines = [f"{digest}\t{b64encode(head).decode()}\n" for digest, head in zip(digests, found, strict=True)]
    return Result(0, "".join((*lines, "== end\n")).encode(), b"")


def _head(data: bytes) -> bytes:
    size = int(data[120:130])
    return data[: 192 + size + size % 2]


def _pairs(call: "Call") -> Iterator[tuple[str, str]]:
    for line in call.stdin.decode().splitlines():
        digest, _, path = line.partition("\t")
        yield digest, path


SCRIPTS: dict[str, Callable[[HostState, "Call"], Result]] = {
    host_copies.LOOK: look,
    host_copies.TAKE: take,
    host_copies.LEND: lend,
    host_copies.HEADS: heads,
}

"""What a fake host does where a picture of it is taken: the scripts of `core.walk`, over its files."""

import io
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING

from nornir_upgrade.core.filesystem import mounts, walk
from nornir_upgrade.core.transport.host import Result
from tests.fake import files
from tests.fake.state import File, HostState

if TYPE_CHECKING:
    from tests.fake.programs import Call

MOUNTS = (
    b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n22 21 0:5 / /proc rw - proc proc rw\n23 21 0:9 / /data rw - nfs4 nas:/ rw\n"
)
_DONE = Result(0, b"", b"")


def place(state: HostState) -> None:
    """Afterwards the host has file systems to tell of."""
    files.make_directories(state, files.parent(mounts.TABLE))
    files.put(state, mounts.TABLE, File("file", "0444", data=MOUNTS))


def mean(state: HostState, call: "Call") -> Result:
    """What files say stands among the lists, until these are packed."""
    directory, *words = call.argv
    told = [(path, _meaning(state.files[path])) for path in words[1::2] if path in state.files]
    files.make_directories(state, directory)
    files.put(state, f"{directory}/meanings", File("file", data=b"".join(_ended(one) for pair in told for one in pair)))
    return _DONE


def pack(state: HostState, call: "Call") -> Result:
    directory, name = call.argv
    listed = [path for path in state.files if not path.startswith((directory, "/proc/"))]
    lists = {
        "entries": b"".join(_ended(field) for path in listed for field in _fields(path, state.files[path])),
        "digests": b"".join(
            _ended(f"{sha256(state.files[path].data).hexdigest()}  {path}")
            for path in listed
            if state.files[path].kind == "file"
        ),
        "meanings": state.files[f"{directory}/meanings"].data,
        "xattrs.by": b"python3\n",
    }
    files.put(state, f"{directory}/{name}", File("file", data=archive(lists)))
    return _DONE


def archive(lists: dict[str, bytes]) -> bytes:
    """The archive of these lists; those not named are empty."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as tar:
        for name in walk._LISTS:
            member = tarfile.TarInfo(name)
            member.size = len(lists.get(name, b""))
            tar.addfile(member, io.BytesIO(lists.get(name, b"")))
    return sink.getvalue()


def _fields(path: str, file: File) -> tuple[str, ...]:
    letter = {"file": "f", "directory": "d", "symlink": "l"}[file.kind]
    return path, letter, file.mode, "0:0", file.target


def _meaning(file: File) -> str:
    return sha256(b"\n\n".join(sorted(file.data.strip().split(b"\n\n")))).hexdigest()


def _ended(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"

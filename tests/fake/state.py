"""What a fake host is made of: plain data, kept in one file that is replaced at every change."""

from pathlib import Path

import msgspec

OURS = "/var/lib/nornir-upgrade"
NOTHING_DONE: tuple[int, bytes] = (0, b"")  # what a small step that has nothing to say returns


class File(msgspec.Struct):
    """What stands at a path. `data` is a file's bytes, `target` a symbolic link's text."""

    kind: str
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    data: bytes = b""
    target: str = ""
    xattrs: list[tuple[str, str]] = []


class Installed(msgspec.Struct):
    """One line of dpkg's database. `conffiles`: path -> digest of the bytes as the package shipped them."""

    version: str
    state: str = "installed"
    selection: str = "install"
    auto: bool = False
    broken: bool = False
    conffiles: dict[str, str] = {}


class Service(msgspec.Struct):
    """A systemd unit."""

    active: bool = False
    enabled: bool = True


class Database(msgspec.Struct):
    """Tables with their columns and rows, all text; `schema` is the number that a migration counts up."""

    schema: int
    tables: dict[str, list[list[str]]] = {}


class Job(msgspec.Struct):
    """A job: `queue` is what the present command has still to do, `position` the command; status `None`: it runs."""

    commands: list[list[str]]
    position: int = 0
    queue: list[list[str]] = []
    started: bool = False
    failed: int = 0
    output: bytes = b""
    status: int | None = None


class HostState(msgspec.Struct):
    """All of one host. `lists`: the source lines that `apt-get update` read last. `told`: parts of an inspection's answer that are
    otherwise than on a host in order."""

    name: str
    files: dict[str, File] = {}
    packages: dict[str, Installed] = {}
    services: dict[str, Service] = {}
    databases: dict[str, Database] = {}
    jobs: dict[str, Job] = {}
    lists: list[str] = []
    told: dict[str, str] = {}


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(HostState)


def load(path: Path) -> HostState:
    """The state kept at `path`."""
    return _decoder.decode(path.read_bytes())


def save(state: HostState, path: Path, kept: bytes = b"") -> bytes:
    """Afterwards `path` holds `state`, whole: a process killed at any moment leaves the old bytes or the new.

    Returns the bytes; where they are those in `kept`, which the file holds already, it is not written again.
    """
    data = _encoder.encode(state)
    if data != kept:
        beside = path.with_suffix(".new")
        beside.write_bytes(data)
        beside.replace(path)
    return data


def observable(state: HostState) -> HostState:
    """`state` without what is nobody's business: the records of jobs, our directory of dumps, indexes that nobody names."""
    copy = _decoder.decode(_encoder.encode(state))
    copy.jobs = {}
    copy.files = {path: file for path, file in copy.files.items() if not path.startswith(OURS)}
    sources = b"".join(file.data for path, file in copy.files.items() if path.startswith("/etc/apt/"))
    copy.lists = [line for line in copy.lists if line.encode() in sources]
    return copy

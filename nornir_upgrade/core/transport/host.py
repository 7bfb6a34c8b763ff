"""Host: everything that a step may ask of one, as a protocol. `ssh.SshHost` and the fake host of the tests satisfy it."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Protocol, TypeVar

from nornir_upgrade.core.errors import CommandFailed

from .disk import refuse_full

FileKind = Literal["file", "directory", "symlink", "absent"]


def quote(argv: Iterable[str]) -> str:
    """Shell text that runs exactly `argv` (POSIX shell quoting). The only place where data becomes shell text."""
    return shlex.join(argv)


@dataclass(frozen=True, slots=True)
class Result:
    """The exit status and the output of a command, as bytes."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as UTF-8; bytes that are not UTF-8 become surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def errors(self) -> str:
        """Standard error as UTF-8; bytes that are not UTF-8 become surrogates."""
        return self.stderr.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a path. `mode`: octal digits. `digest`: SHA-256 of a file's bytes. `target`: the text of a symbolic link.

    `xattrs`: extended attributes (name, value in hexadecimal digits), including ACLs and capabilities. `size`: bytes of a file.
    Only `Host.survey` fills these two.
    """

    path: str
    kind: FileKind
    mode: str = ""
    owner: str = ""
    group: str = ""
    digest: str = ""
    target: str = ""
    xattrs: tuple[tuple[str, str], ...] = ()
    size: int = field(default=0, compare=False)


class Host(Protocol):
    """One host. Every method raises `Unreachable` or `ConnectionLost` if the host cannot be reached.

    All commands run as root (through sudo if the login is another user) with `LC_ALL=C` and
    `DEBIAN_FRONTEND=noninteractive`. Argument vectors are quoted before a shell reads them.
    """

    @property
    def name(self) -> str:
        """The name of the host in the inventory."""
        ...

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        """Runs a short command; `timeout` in seconds. Raises `CommandFailed` if `check` is set and the status is not 0."""
        ...

    def stream(self, argv: Sequence[str], sink: BinaryIO, *, stdin: bytes = b"", timeout: float = 60.0) -> None:
        """As `run`, but writes the command's output, of any size, into `sink` in pieces. Raises `CommandFailed`."""
        ...

    def job(self, name: str, commands: Sequence[Sequence[str]], *, timeout: float = 3600.0) -> Result:
        """Runs `commands` in order, up to the first that fails, as a job that outlives the connection.

        A job of the same `name` ([a-z0-9.-]) that is still running is followed. One that ended with status 0 is not run again; its
        result is returned. Any other is run anew. After a lost connection the method reconnects and follows the job further.
        `stdout` of the result holds both streams. Does not raise on a status other than 0.
        """
        ...

    def follow(self, prefix: str, *, timeout: float = 3600.0) -> None:
        """Waits until no job runs whose name begins with `prefix`; reconnects as `job` does. Starts nothing."""
        ...

    def forget(self, prefix: str) -> None:
        """Removes the records of ended jobs whose name begins with `prefix`."""
        ...

    def stat(self, paths: Sequence[str]) -> tuple[FileState, ...]:
        """The state of each of `paths`, in their order; `absent` if the path does not exist. Links are not followed."""
        ...

    def tree(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        """The state of every file, directory and symbolic link at and below `roots`, sorted by path. Roots may be absent.

        Raises `InvalidInput` for devices, sockets and other kinds of files.
        """
        ...

    def survey(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        """As `tree`, with owners as numbers, extended attributes and sizes. Leaves out what cannot be captured: other file systems,
        devices, sockets, and files that vanish meanwhile.
        """
        ...

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises `CommandFailed` if it does not exist."""
        ...

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Path -> bytes of several files, in one round trip. Paths that are not regular files are left out."""
        ...

    def write(self, path: str, data: bytes, *, mode: str = "0644", owner: str = "root", group: str = "root") -> None:
        """Afterwards the file at `path` holds `data`: written beside it, synced, and renamed. Its directory must exist."""
        ...

    def put(self, state: FileState, data: bytes) -> None:
        """As `write`, with the extended attributes of `state`, whose owners are numbers. Also for directories."""
        ...

    def place(self, state: FileState) -> None:
        """Afterwards `state.path` is the directory or link that `state` describes, or absent. Of a file, mode and owner are set.

        `absent` removes a file, a link, or an empty directory. A directory that is not empty stays.
        """
        ...

    def download(self, path: str, sink: BinaryIO) -> None:
        """Copies the file at `path` into `sink`, in pieces."""
        ...

    def upload(self, source: BinaryIO, path: str, *, mode: str = "0600") -> None:
        """Copies `source` to `path` (owner root), in pieces, as `write` does."""
        ...


def checked(host: str, argv: Sequence[str], result: Result) -> Result:
    """Returns `result` if its status is 0. Raises `DiskFull` if its output says so, else `CommandFailed`.

    The error holds only the name of the command: arguments may be long or confidential.
    """
    if result.status != 0:
        refuse_full(host, result.status, f"{result.text}\n{result.errors}")
        raise CommandFailed(host, " ".join(argv[:2]), result.status, result.errors or result.text)
    return result


T = TypeVar("T")


class Fleet(Protocol):
    """Hosts by name, and the way to work on many of them at the same time."""

    def each(self, names: Sequence[str], act: Callable[[Host], T]) -> Mapping[str, T | Exception]:
        """Calls `act` for every named host, concurrently. Returns each host's value, or the exception that was raised."""
        ...

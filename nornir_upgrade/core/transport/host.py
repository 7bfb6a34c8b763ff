"""What a step may ask of a host. Two things satisfy this protocol: `ssh.SshHost`, and the fake host of the tests."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Protocol

from nornir_upgrade.core.errors import CommandFailed

from .disk import refuse_full

FileKind = Literal["file", "directory", "symlink", "absent"]


def quote(argv: Iterable[str]) -> str:
    """The shell words that stand for exactly `argv`: the one place where data becomes shell text (POSIX shell quoting)."""
    return shlex.join(argv)


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: exit status, and what it wrote (bytes, as written)."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as UTF-8; bytes that are none come back as surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def errors(self) -> str:
        """Standard error as UTF-8; bytes that are none come back as surrogates."""
        return self.stderr.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class FileState:
    """What stands at a path. `digest` is the SHA-256 of a file's bytes, `target` a symbolic link's text, `mode` octal text.

    `xattrs`: the extended attributes (name, value in hexadecimal digits), ACLs and capabilities among them, where they were
    asked for. `size` is a file's, where it was told.
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
    """One host. Every method raises `Unreachable` or `ConnectionLost` when the host cannot be asked.

    All commands run as root (through sudo where the login is another user) with `LC_ALL=C` and
    `DEBIAN_FRONTEND=noninteractive`. Argument vectors never meet a shell unquoted.
    """

    @property
    def name(self) -> str:
        """The inventory's name of the host."""
        ...

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        """Run a short command to its end; `timeout` in seconds. Raises `CommandFailed` when `check` and the status is not 0."""
        ...

    def stream(self, argv: Sequence[str], sink: BinaryIO, *, stdin: bytes = b"", timeout: float = 60.0) -> None:
        """As `run`, with the command's output into `sink`, in pieces: of any size. Raises `CommandFailed`."""
        ...

    def job(self, name: str, commands: Sequence[Sequence[str]], *, timeout: float = 3600.0) -> Result:
        """Run `commands` one after the other, stopping at the first that fails, as a job that outlives the connection.

        `name` ([a-z0-9.-]) is found again: a job of that name that is still running is followed, one that ended with
        status 0 is not run again and its result returned, any other is run anew. After a lost connection this method
        reconnects by itself and follows on. stdout of the result holds both streams. Does not raise on a status other than 0.
        """
        ...

    def follow(self, prefix: str, *, timeout: float = 3600.0) -> None:
        """Wait until no job runs whose name begins with `prefix`, over lost connections as `job` does. Starts nothing."""
        ...

    def forget(self, prefix: str) -> None:
        """Remove the records of ended jobs whose name begins with `prefix`."""
        ...

    def stat(self, paths: Sequence[str]) -> tuple[FileState, ...]:
        """The state of each path itself, in the order given, `absent` where nothing stands."""
        ...

    def tree(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        """The state of every file, directory and symbolic link at and below `roots`, sorted by path; absent roots give nothing.

        Raises `InvalidInput` for devices, sockets and other kinds of files.
        """
        ...

    def survey(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        """As `tree`, with owners as numbers, extended attributes and sizes. What cannot be kept is passed over: other file systems,
        devices, sockets, and files that vanish meanwhile.
        """
        ...

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises `CommandFailed` where there is none."""
        ...

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The bytes of several files in one round trip, by path; what is no regular file is left out."""
        ...

    def write(self, path: str, data: bytes, *, mode: str = "0644", owner: str = "root", group: str = "root") -> None:
        """Put `data` at `path`: written beside it, synced, then renamed over it. Its directory must exist."""
        ...

    def put(self, state: FileState, data: bytes) -> None:
        """As `write`, with the extended attributes of `state`, whose owners are numbers; or make such a directory true."""
        ...

    def place(self, state: FileState) -> None:
        """Make a directory, a symbolic link, or an absence true at `state.path` (not a file), or a present file's mode and owner.

        `absent` removes a file or link, or an empty directory; a directory that is not empty stays.
        """
        ...

    def download(self, path: str, sink: BinaryIO) -> None:
        """Copy the file at `path` into `sink`, in pieces."""
        ...

    def upload(self, source: BinaryIO, path: str, *, mode: str = "0600") -> None:
        """Copy `source` to `path` (owner root), in pieces, as `write` does."""
        ...


def checked(host: str, argv: Sequence[str], result: Result) -> Result:
    """`result`. Raises `DiskFull` where it says so, else `CommandFailed` where its status is not 0.

    Only the command's name is told: arguments may be long or delicate.
    """
    if result.status != 0:
        refuse_full(host, result.status, f"{result.text}\n{result.errors}")
        raise CommandFailed(host, " ".join(argv[:2]), result.status, result.errors or result.text)
    return result

"""Remote host: all of `Host`, built on one operation: run a command with bytes in and bytes out. A subclass provides it."""

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import BinaryIO

from nornir_upgrade.core.errors import HostUnreadable

from . import files, jobs, xattrs
from .host import FileState, Result, checked

ENVIRONMENT = ("LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
"""The environment variables of every command."""

_EXPORT = f"export {' '.join(ENVIRONMENT)}\n"

OUTPUT = 64 << 20
"""The limit, in bytes, of a command's output in memory. Files of any size are downloaded in pieces."""

_LOOK = 300.0  # seconds: digests of whole trees
_TRANSFER = 3600.0  # seconds: dumps of databases

Sink = Callable[[bytes], object]
"""Takes the next piece of standard output."""


def with_environment(argv: Sequence[str]) -> tuple[str, ...]:
    """`argv` with `ENVIRONMENT`. A script exports the variables itself, which saves starting env(1)."""
    if tuple(argv[:2]) == ("sh", "-c"):
        return ("sh", "-c", _EXPORT + argv[2], *argv[3:])
    return ("env", *ENVIRONMENT, *argv)


class RemoteHost(ABC):
    """A host whose commands run elsewhere. `patience`: seconds for which a host that was reachable may be unreachable."""

    def __init__(self, name: str, patience: float = jobs.PATIENCE) -> None:
        self._name = name
        self.patience = patience
        self.jobs_directory = jobs.ROOT

    @property
    def name(self) -> str:
        return self._name

    @abstractmethod
    def exchange(self, argv: Sequence[str], source: BinaryIO | None, sink: Sink, timeout: float) -> tuple[int, bytes]:
        """Runs `argv` as root with `ENVIRONMENT`, with all of `source` as its input. Passes its output to `sink` in pieces.

        Returns exit status and standard error. Raises `Unreachable` (nothing was started), `ConnectionLost`, `TimedOut`, and
        the errors of `source` and `sink`.
        """

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, check: bool = True) -> Result:
        output = _Bounded(self._name, argv)
        status, errors = self.exchange(argv, io.BytesIO(stdin) if stdin else None, output.take, timeout)
        result = Result(status, output.bytes, errors)
        return checked(self._name, argv, result) if check else result

    def stream(self, argv: Sequence[str], sink: BinaryIO, *, stdin: bytes = b"", timeout: float = 60.0) -> None:
        status, errors = self.exchange(argv, io.BytesIO(stdin) if stdin else None, sink.write, timeout)
        checked(self._name, argv, Result(status, b"", errors))

    # ------------------------------------------------------------------ jobs

    def job(self, name: str, commands: Sequence[Sequence[str]], *, timeout: float = 3600.0) -> Result:
        return jobs.run(
            self._ask, self._name, name, commands, timeout=timeout, patience=self.patience, root=self.jobs_directory
        )

    def follow(self, prefix: str, *, timeout: float = 3600.0) -> None:
        jobs.follow(self._ask, self._name, prefix, timeout=timeout, patience=self.patience, root=self.jobs_directory)

    def forget(self, prefix: str) -> None:
        self._do(f"forget {prefix}", jobs.forget_argv(prefix, self.jobs_directory))

    def _ask(self, argv: Sequence[str], stdin: bytes, timeout: float) -> Result:
        return self.run(argv, stdin=stdin, timeout=timeout, check=False)

    # ------------------------------------------------------------------ files

    def stat(self, paths: Sequence[str]) -> tuple[FileState, ...]:
        return files.ordered(self._look(paths, below=False), paths)

    def tree(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        return tuple(sorted(self._look(roots, below=True).values(), key=lambda state: state.path))

    def _look(self, paths: Sequence[str], *, below: bool) -> dict[str, FileState]:
        if not paths:
            return {}
        argv, stdin = files.look(paths, below=below)
        return files.parse_look(self._name, self.run(argv, stdin=stdin, timeout=_LOOK, check=False))

    def survey(self, roots: Sequence[str]) -> tuple[FileState, ...]:
        if not roots:
            return ()
        argv, stdin = files.survey(roots)
        states, having = files.parse_survey(self._name, self.run(argv, stdin=stdin, timeout=_LOOK, check=False))
        argv, stdin = xattrs.read_xattrs(path for path in having if path in states)
        if stdin:
            by_path = xattrs.parse_xattrs(self._name, self.run(argv, stdin=stdin, timeout=_LOOK, check=False))
            states |= {path: replace(states[path], xattrs=having) for path, having in by_path.items() if path in states}
        return tuple(sorted(states.values(), key=lambda state: state.path))

    def read(self, path: str) -> bytes:
        return self._do(f"read {path}", files.read_argv(path)).stdout

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        if not paths:
            return {}
        argv, stdin = files.read_many(paths)
        return files.parse_read_many(self._name, self.run(argv, stdin=stdin, timeout=_LOOK, check=False))

    def write(self, path: str, data: bytes, *, mode: str = "0644", owner: str = "root", group: str = "root") -> None:
        self._put(io.BytesIO(data), path, mode, owner, group)

    def put(self, state: FileState, data: bytes) -> None:
        argv, stdin = xattrs.unpack(state, data)
        status, errors = self.exchange(argv, io.BytesIO(stdin), _nothing, _TRANSFER)
        checked(self._name, ("write", state.path), Result(status, b"", errors))

    def upload(self, source: BinaryIO, path: str, *, mode: str = "0600") -> None:
        self._put(source, path, mode, "root", "root")

    def _put(self, source: BinaryIO, path: str, mode: str, owner: str, group: str) -> None:
        here = source.tell()
        size = source.seek(0, os.SEEK_END) - here
        source.seek(here)
        argv = files.put_argv(path, size, mode=mode, owner=owner, group=group)
        status, errors = self.exchange(argv, source, _nothing, _TRANSFER)
        checked(self._name, ("write", path), Result(status, b"", errors))

    def place(self, state: FileState) -> None:
        self._do(f"place {state.path}", files.place_argv(state))

    def download(self, path: str, sink: BinaryIO) -> None:
        status, errors = self.exchange(files.read_argv(path), None, sink.write, _TRANSFER)
        checked(self._name, ("read", path), Result(status, b"", errors))

    def _do(self, what: str, argv: Sequence[str]) -> Result:
        """As `run`. Errors name the command by `what`: its argument vector is a script."""
        return checked(self._name, (what,), self.run(argv, check=False))


class _Bounded:
    """Output kept in memory, up to a limit."""

    def __init__(self, host: str, argv: Sequence[str]) -> None:
        self._what = f"{host}: {' '.join(argv[:2])}"
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > OUTPUT:
            raise HostUnreadable(
                f"{self._what} wrote more than {OUTPUT >> 20} MiB", hint="run it there, and look at its output"
            )

    @property
    def bytes(self) -> bytes:
        return b"".join(self._pieces)


def _nothing(piece: bytes) -> None:
    """Ignores output, of commands that have none."""

"""The file system of a fake host: a mapping of paths, with the few rules of a real one that steps can meet."""

import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.transport.host import FileState
from tests.fake.state import File, HostState

NOTHING = File("absent")


def parent(path: str) -> str:
    """The directory that `path` stands in."""
    return path.rpartition("/")[0] or "/"


def look(state: HostState, path: str) -> FileState:
    """The state of what stands at `path` itself; links are not followed."""
    file = state.files.get(path, NOTHING)
    if file.kind == "absent":
        return FileState(path, "absent")
    if file.kind == "symlink":
        return FileState(path, "symlink", "", file.owner, file.group, target=file.target)
    if file.kind == "directory":
        return FileState(path, "directory", file.mode, file.owner, file.group)
    if file.kind == "file":
        return FileState(path, "file", file.mode, file.owner, file.group, sha256(file.data).hexdigest())
    raise InvalidInput(f"{state.name}: {path} is a {file.kind}")


def walk(state: HostState, roots: Sequence[str]) -> tuple[FileState, ...]:
    """Everything at and below `roots`, sorted."""
    found = {
        path for path in state.files if any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
    }
    return tuple(look(state, path) for path in sorted(found))


IDS = {"root": "0", "adm": "4"}
"""Users and groups by name; any other has no number, as one that went."""
_NAMES = {number: name for name, number in IDS.items()}


def survey(state: HostState, roots: Sequence[str]) -> tuple[FileState, ...]:
    """The same with owners as numbers, extended attributes and sizes; without what is no file, directory or link."""
    found = []
    for path in sorted(state.files):
        file = state.files[path]
        inside = any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
        if inside and file.kind in ("file", "directory", "symlink"):
            owners = {"owner": IDS.get(file.owner, file.owner), "group": IDS.get(file.group, file.group)}
            found.append(
                replace(look(state, path), **owners, xattrs=tuple(map(tuple, file.xattrs)), size=len(file.data))  # type: ignore[arg-type]
            )
    return tuple(found)


def named(owner: str) -> str:
    """The name of a user or group that was given as a number."""
    return _NAMES.get(owner, owner)


def follow(state: HostState, path: str) -> File:
    """What stands at `path` once links at its end are followed. Raises `OSError` as open(2) does."""
    for _ in range(8):
        file = state.files.get(path, NOTHING)
        if file.kind != "symlink":
            break
        path = file.target if file.target.startswith("/") else f"{parent(path)}/{file.target}"
    if file.kind != "file":
        raise _error(errno.EISDIR if file.kind == "directory" else errno.ENOENT, path)
    return file


def put(state: HostState, path: str, file: File) -> None:
    """Rename `file` to `path`. Raises `OSError` where rename(2) would."""
    _require_directory(state, path)
    if state.files.get(path, NOTHING).kind == "directory":
        raise _error(errno.EISDIR, path)
    state.files[path] = file


def make_directory(state: HostState, path: str, mode: str, owner: str, group: str) -> None:
    """A directory stands at `path`, with this mode and owner. Raises `OSError` where something else does."""
    _require_directory(state, path)
    if state.files.get(path, NOTHING).kind not in ("absent", "directory"):
        raise _error(errno.EEXIST, path)
    state.files[path] = File("directory", mode, owner, group)


def make_directories(state: HostState, path: str) -> None:
    """As `mkdir -p` by root."""
    parts = path.strip("/").split("/")
    for count in range(1, len(parts) + 1):
        state.files.setdefault("/" + "/".join(parts[:count]), File("directory", "0755"))


def remove(state: HostState, path: str) -> None:
    """Nothing stands at `path`, unless it is a directory that is not empty: that stays."""
    if not any(other.startswith(path + "/") for other in state.files):
        state.files.pop(path, None)


def _require_directory(state: HostState, path: str) -> None:
    above = parent(path)
    if above != "/" and state.files.get(above, NOTHING).kind != "directory":
        raise _error(errno.ENOENT, path)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)

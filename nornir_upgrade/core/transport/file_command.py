"""File command: checked arguments of a command about files, and the meaning of the command's errors."""

import re
from collections.abc import Iterable

from nornir_upgrade.core.errors import CommandFailed, InvalidInput

from .host import Result

# Messages of find(1), tar(1) and sha256sum(1), with LC_ALL=C, about a missing path or a kind of file that tar omits.
_HARMLESS = re.compile(
    r".*: (?:No such file or directory|Not a directory)|tar: .*: (?:socket|door) ignored"
    r"|tar: Exiting with failure status due to previous errors"
)
_MODE = re.compile(r"[0-7]{3,4}")
_OWNER = re.compile(r"[^:\s\0-][^:\s\0]*")


def names(paths: Iterable[str]) -> bytes:
    """`paths` as standard input, each ended by NUL. Raises `InvalidInput` for a path that is not absolute."""
    return b"".join(check_path(path).encode("utf-8", "surrogateescape") + b"\0" for path in paths)


def check_path(path: str) -> str:
    """Returns `path`. Raises `InvalidInput` unless it is absolute: so no name can be taken for an option."""
    if not path.startswith("/") or "\0" in path:
        raise InvalidInput(f"{path!r} is not an absolute path")
    return path


def parent_of(path: str) -> str:
    """The directory that holds `path`."""
    return path.rstrip("/").rpartition("/")[0] or "/"


def mode_argument(mode: str) -> str:
    """Five digits: GNU chmod(1) leaves setuid and setgid bits of a directory alone when there are fewer."""
    if not _MODE.fullmatch(mode):
        raise InvalidInput(f"{mode!r} is not a mode", hint="give octal digits, such as 0644")
    return mode.zfill(5)


def owner_argument(owner: str, group: str) -> str:
    """`OWNER:GROUP`, as chown(1) takes it."""
    for name in (owner, group):
        if not _OWNER.fullmatch(name):
            raise InvalidInput(f"{name!r} is not the name of a user or group")
    return f"{owner}:{group}"


def refuse_errors(host: str, command: str, result: Result) -> None:
    """Raises `CommandFailed` if `command` failed for another reason than a missing path."""
    errors = [line for line in result.errors.splitlines() if not _HARMLESS.fullmatch(line)]
    if errors or (result.status != 0 and not result.stderr):
        raise CommandFailed(host, command, result.status, "\n".join(errors))

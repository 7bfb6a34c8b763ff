"""Files of a host: fixed scripts that tell and change them, one round trip each, and pure parsers of what these print.

Paths come as NUL-separated standard input or as positional parameters, and always absolute: no name can be taken for an option.
"""

import io
import re
import tarfile
from collections.abc import Iterable, Sequence

from .errors import CommandFailed, InvalidInput
from .host import FileState, Result

# find(1) tells what stands there (one record of six fields a path), an empty field ends that, sha256sum(1) tells of the files.
# The paths come twice, once for each; head(1) takes no byte more than it is told to.
_LOOK = """\
head -c "$1" | xargs -0r sh -c 'depth=$1; shift; find "$@" $depth -printf "%p\\0%y\\0%m\\0%u\\0%g\\0%l\\0"' sh "$2"
printf '\\000'
xargs -0r sh -c 'depth=$1; shift; find "$@" $depth -type f -print0' sh "$2" 2>/dev/null | xargs -0r sha256sum -z --
exit 0
"""

_FIELDS = 6
_KINDS = {"f": "file", "d": "directory", "l": "symlink"}
_OTHERS = {"p": "named pipe", "s": "socket", "b": "block device", "c": "character device", "D": "door"}
# What find(1), tar(1) and sha256sum(1) say with LC_ALL=C of a path that is not there, or is nothing that tar keeps.
_HARMLESS = re.compile(
    r".*: (?:No such file or directory|Not a directory)|tar: .*: (?:socket|door) ignored"
    r"|tar: Exiting with failure status due to previous errors"
)

_READ_MANY = (
    "tar",
    "--create",
    "--file=-",
    "--format=gnu",
    "--no-recursion",
    "--absolute-names",
    "--hard-dereference",
    "--null",
    "--no-unquote",
    "--files-from=-",
)

# Private from its first byte, in its place only when it came whole (a connection that breaks ends standard input just as its end
# does), never more open than it is to be. chmod comes after chown, which takes setuid bits away.
_PUT = """\
temp=$(mktemp -- "$2/.nornir-upgrade.XXXXXXXXXX") || exit
trap 'rm -f -- "$temp"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$temp" || exit
[ "$(stat -c %s -- "$temp")" = "$3" ] || { echo 'it came only in part' >&2; exit 1; }
chown -- "$5" "$temp" && chmod -- "$4" "$temp" && sync -- "$temp" && mv -fT -- "$temp" "$1" && sync -- "$2"
"""

_PLACE = """\
kind=$1 path=$2 mode=$3 owner=$4 target=$5 parent=$6
case $kind in
directory)
  [ -L "$path" ] || [ -d "$path" ] || mkdir -m 0700 -- "$path" || exit
  [ ! -L "$path" ] || { echo 'a symbolic link stands there' >&2; exit 1; }
  chown -- "$owner" "$path" && chmod -- "$mode" "$path" ;;
symlink)
  temp=$(mktemp -u -- "$parent/.nornir-upgrade.XXXXXXXXXX") || exit
  trap 'rm -f -- "$temp"' EXIT
  ln -sT -- "$target" "$temp" && chown -h -- "$owner" "$temp" && mv -fT -- "$temp" "$path" ;;
absent)
  if [ -d "$path" ] && [ ! -L "$path" ]; then rmdir --ignore-fail-on-non-empty -- "$path"; else rm -f -- "$path"; fi ;;
file)
  [ -f "$path" ] && [ ! -L "$path" ] || { echo 'no regular file stands there' >&2; exit 1; }
  chown -- "$owner" "$path" && chmod -- "$mode" "$path" ;;
esac
"""

_MODE = re.compile(r"[0-7]{3,4}")
_OWNER = re.compile(r"[^:\s\0-][^:\s\0]*")


def look(paths: Iterable[str], *, below: bool) -> tuple[tuple[str, ...], bytes]:
    """The command that tells of `paths`, with `below` of all that lies below them too, and its standard input."""
    listed = names(paths)
    return ("sh", "-c", _LOOK, "sh", str(len(listed)), "" if below else "-maxdepth 0"), listed + listed


def read_many(paths: Iterable[str]) -> tuple[tuple[str, ...], bytes]:
    """The command that writes the files at `paths` as a tar stream, and its standard input."""
    return _READ_MANY, names(paths)


def read_argv(path: str) -> tuple[str, ...]:
    """The command that writes the bytes of a file."""
    return ("cat", "--", check_path(path))


def put_argv(path: str, size: int, *, mode: str, owner: str, group: str) -> tuple[str, ...]:
    """The command that puts `size` bytes of standard input at `path`, whole or not at all."""
    return ("sh", "-c", _PUT, "sh", check_path(path), _parent(path), str(size), _mode(mode), _owner(owner, group))


def place_argv(state: FileState) -> tuple[str, ...]:
    """The command that makes `state` true; of a file only its mode and owner."""
    path = check_path(state.path)
    mode = _mode(state.mode) if state.kind in ("file", "directory") else ""
    owner = _owner(state.owner, state.group) if state.kind != "absent" else ""
    return ("sh", "-c", _PLACE, "sh", state.kind, path, mode, owner, state.target, _parent(path))


def names(paths: Iterable[str]) -> bytes:
    """Paths as standard input."""
    return b"".join(check_path(path).encode("utf-8", "surrogateescape") + b"\0" for path in paths)


def check_path(path: str) -> str:
    """`path`, which is absolute. Raises `InvalidInput` for any other."""
    if not path.startswith("/") or "\0" in path:
        raise InvalidInput(f"{path!r} is no absolute path")
    return path


def parse_look(host: str, result: Result) -> dict[str, FileState]:
    """What stands at each path that was told; a path that is not there is simply not told.

    Raises `InvalidInput` for kinds of files that cannot be kept and put back, `CommandFailed` where the host could not look.
    """
    refuse_errors(host, "find", result)
    told, end, digests = _sections(result.text)
    if not end:
        raise InvalidInput(f"{host}: what it tells of files is cut off")
    by_path = dict(_parse_digest(host, entry) for entry in digests)
    states = {}
    for path, letter, mode, owner, group, target in told:
        if letter not in _KINDS:
            raise InvalidInput(f"{host}: {path} is a {_OTHERS.get(letter, 'file of an unknown kind')}")
        states[path] = _state(path, letter, mode, owner, group, target, by_path)
        if letter == "f" and path not in by_path:
            raise InvalidInput(f"{host}: {path} vanished while it was being read")
    return states


def _state(
    path: str, letter: str, mode: str, owner: str, group: str, target: str, digests: dict[str, str]
) -> FileState:
    if letter == "l":
        return FileState(path, "symlink", "", owner, group, target=target)
    if letter == "d":
        return FileState(path, "directory", mode.zfill(4), owner, group)
    return FileState(path, "file", mode.zfill(4), owner, group, digests.get(path, ""))


def _sections(text: str) -> tuple[list[list[str]], bool, list[str]]:
    """Records of six fields up to an empty path, whether that end was there, and the entries after it."""
    fields = text.split("\0")
    at, told = 0, []
    while at + _FIELDS <= len(fields) and fields[at]:
        told.append(fields[at : at + _FIELDS])
        at += _FIELDS
    whole = at + 1 < len(fields) and not fields[at] and not fields[-1]
    return told, whole, fields[at + 1 : -1]


def _parse_digest(host: str, entry: str) -> tuple[str, str]:
    """sha256sum(1) -z: 64 digits, a space, a space or an asterisk, the path."""
    digest, path = entry[:64], entry[66:]
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or not path:
        raise InvalidInput(f"{host}: no digest: {entry[:80]!r}")
    return path, digest


def parse_read_many(host: str, result: Result) -> dict[str, bytes]:
    """The bytes of every regular file in the stream, by path. Raises `CommandFailed` where one could not be read whole."""
    refuse_errors(host, "tar", result)
    try:
        with tarfile.open(fileobj=io.BytesIO(result.stdout), mode="r:", encoding="utf-8") as archive:
            return {
                member.name: file.read()
                for member in archive
                if member.isreg() and (file := archive.extractfile(member))
            }
    except tarfile.TarError as error:
        raise InvalidInput(f"{host}: the files came only in part: {error}") from None


def refuse_errors(host: str, command: str, result: Result) -> None:
    """Raises `CommandFailed` unless all that `command` complained of was paths that are not there."""
    complaints = [line for line in result.errors.splitlines() if not _HARMLESS.fullmatch(line)]
    if complaints or (result.status != 0 and not result.stderr):
        raise CommandFailed(host, command, result.status, "\n".join(complaints))


def ordered(states: dict[str, FileState], paths: Sequence[str]) -> tuple[FileState, ...]:
    """The state of each path in the order given, `absent` where nothing was told."""
    return tuple(states.get(path, FileState(path, "absent")) for path in paths)


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0] or "/"


def _mode(mode: str) -> str:
    """Five digits: GNU chmod(1) leaves setuid and setgid bits of a directory alone when there are fewer."""
    if not _MODE.fullmatch(mode):
        raise InvalidInput(f"{mode!r} is no mode", hint="octal digits, such as 0644")
    return mode.zfill(5)


def _owner(owner: str, group: str) -> str:
    for name in (owner, group):
        if not _OWNER.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name of a user or group")
    return f"{owner}:{group}"

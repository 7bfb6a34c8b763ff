"""Files of a host: fixed scripts that read and change files, one round trip each, and pure parsers of the scripts' output.

A script takes paths as NUL-separated standard input or as positional parameters. Paths are absolute: none can be taken for an option.
"""

import io
import re
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nornir_upgrade.core.errors import InvalidInput

from .file_command import check_path, mode_argument, names, owner_argument, parent_of, refuse_errors
from .host import FileState, Result
from .xattrs import LIST_XATTRS, parse_xattr_names

# find(1) prints one record of six fields a path; an empty field ends the records; sha256sum(1) prints the digests of the files.
# Standard input holds the paths twice, once for each program; head(1) reads no byte more than it is told to.
_LOOK = """\
head -c "$1" | xargs -0r sh -c 'depth=$1; shift; find "$@" $depth -printf "%p\\0%y\\0%m\\0%u\\0%g\\0%l\\0"' sh "$2"
printf '\\000'
xargs -0r sh -c 'depth=$1; shift; find "$@" $depth -type f -print0' sh "$2" 2>/dev/null | xargs -0r sha256sum -z --
exit 0
"""

# As `_LOOK`, but owners are numbers and other file systems are left out. At the end tar(1) lists extended attributes. Its archive is
# /dev/null, so that tar reads no file (GNU tar manual, "compress").
_SURVEY = f"""\
head -c "$1" | xargs -0r sh -c 'find "$@" -xdev -printf "%p\\0%y\\0%m\\0%U\\0%G\\0%l\\0%s\\0%D\\0"' sh
printf '\\000'
head -c "$1" | xargs -0r sh -c 'find "$@" -xdev -type f -print0' sh 2>/dev/null | xargs -0r sha256sum -z -- 2>/dev/null
printf '\\000'
xargs -0r sh -c 'find "$@" -xdev -print0' sh 2>/dev/null | {LIST_XATTRS}
exit 0
"""

_FIELDS = 6
_SURVEYED = 8
_KINDS = {"f": "file", "d": "directory", "l": "symlink"}
_OTHERS = {"p": "named pipe", "s": "socket", "b": "block device", "c": "character device", "D": "door"}
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

# The file is private from its first byte, and is renamed to its path only when it is whole: a broken connection ends standard input
# just as the end of the file does. chmod follows chown, because chown removes setuid bits.
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


def look(paths: Iterable[str], *, below: bool) -> tuple[tuple[str, ...], bytes]:
    """The command that reads the state of `paths` (and, with `below`, of everything below them), and its standard input."""
    listed = names(paths)
    return ("sh", "-c", _LOOK, "sh", str(len(listed)), "" if below else "-maxdepth 0"), listed + listed


def survey(roots: Iterable[str]) -> tuple[tuple[str, ...], bytes]:
    """The command that reads the state of everything at and below `roots`, and its standard input."""
    listed = names(roots)
    return ("sh", "-c", _SURVEY, "sh", str(len(listed))), listed * 3


def read_many(paths: Iterable[str]) -> tuple[tuple[str, ...], bytes]:
    """The command that writes the files at `paths` as a tar stream, and its standard input."""
    return _READ_MANY, names(paths)


def read_argv(path: str) -> tuple[str, ...]:
    """The command that writes the bytes of a file."""
    return ("cat", "--", check_path(path))


def put_argv(path: str, size: int, *, mode: str, owner: str, group: str) -> tuple[str, ...]:
    """The command that writes `size` bytes of standard input to `path`: all of them or none."""
    return (
        "sh",
        "-c",
        _PUT,
        "sh",
        check_path(path),
        parent_of(path),
        str(size),
        mode_argument(mode),
        owner_argument(owner, group),
    )


def place_argv(state: FileState) -> tuple[str, ...]:
    """The command that makes `state` true; of a file only its mode and owner."""
    path = check_path(state.path)
    mode = mode_argument(state.mode) if state.kind in ("file", "directory") else ""
    owner = owner_argument(state.owner, state.group) if state.kind != "absent" else ""
    return ("sh", "-c", _PLACE, "sh", state.kind, path, mode, owner, state.target, parent_of(path))


def parse_look(host: str, result: Result) -> dict[str, FileState]:
    """Path -> state, from the output of `look`. Paths that do not exist are left out.

    Raises `InvalidInput` for kinds of files that cannot be captured and restored, `CommandFailed` if find(1) failed on the host.
    """
    refuse_errors(host, "find", result)
    records, whole, entries = _sections(result.text)
    if not whole:
        raise InvalidInput(f"{host}: its list of files is cut off")
    digests = dict(_parse_digest(host, entry) for entry in entries)
    states = {}
    for path, letter, mode, owner, group, target in records:
        if letter not in _KINDS:
            raise InvalidInput(f"{host}: {path} is a {_OTHERS.get(letter, 'file of an unknown kind')}")
        states[path] = _state(path, letter, mode, owner, group, target, digests)
        if letter == "f" and path not in digests:
            raise InvalidInput(f"{host}: {path} vanished while it was being read")
    return states


def parse_survey(host: str, result: Result) -> tuple[dict[str, FileState], dict[str, str]]:
    """Two mappings by path, from the output of `survey`: states without extended attributes, and the attributes' names and sizes.

    Mount points are left out, and everything that is no file, directory or link. Raises `InvalidInput` if the output is cut off.
    """
    refuse_errors(host, "find", result)
    fields = result.text.split("\0")
    at, devices, states = 0, dict[str, str](), dict[str, FileState]()
    while at + _SURVEYED <= len(fields) and fields[at]:
        path, letter, mode, owner, group, target, size, device = fields[at : at + _SURVEYED]
        at += _SURVEYED
        devices[path] = device
        if letter in _KINDS and devices.get(parent_of(path), device) == device:
            states[path] = replace(_state(path, letter, mode, owner, group, target, {}), size=int(size))
    if at >= len(fields) or fields[at]:
        raise InvalidInput(f"{host}: its list of files is cut off")
    *entries, _, attributes = fields[at + 1 :]
    digests = dict(_parse_digest(host, entry) for entry in entries)
    whole = {
        path: replace(state, digest=digests[path]) if state.kind == "file" else replace(state, size=0)
        for path, state in states.items()
        if state.kind != "file" or path in digests
    }
    return whole, parse_xattr_names(attributes)


def _state(
    path: str, letter: str, mode: str, owner: str, group: str, target: str, digests: dict[str, str]
) -> FileState:
    if letter == "l":
        return FileState(path, "symlink", "", owner, group, target=target)
    if letter == "d":
        return FileState(path, "directory", mode.zfill(4), owner, group)
    return FileState(path, "file", mode.zfill(4), owner, group, digests.get(path, ""))


def _sections(text: str) -> tuple[list[list[str]], bool, list[str]]:
    """The records of six fields before the empty path, whether `text` is whole, and the entries after the empty path."""
    fields = text.split("\0")
    at, records = 0, []
    while at + _FIELDS <= len(fields) and fields[at]:
        records.append(fields[at : at + _FIELDS])
        at += _FIELDS
    whole = at + 1 < len(fields) and not fields[at] and not fields[-1]
    return records, whole, fields[at + 1 : -1]


def _parse_digest(host: str, entry: str) -> tuple[str, str]:
    """Path and digest. sha256sum(1) -z prints 64 digits, a space, a space or an asterisk, and the path."""
    digest, path = entry[:64], entry[66:]
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or not path:
        raise InvalidInput(f"{host}: not a digest: {entry[:80]!r}")
    return path, digest


def parse_read_many(host: str, result: Result) -> dict[str, bytes]:
    """Path -> bytes of every regular file in the tar stream.

    Raises `CommandFailed` if a file could not be read, `InvalidInput` if the stream is cut off.
    """
    refuse_errors(host, "tar", result)
    try:
        with tarfile.open(fileobj=io.BytesIO(result.stdout), mode="r:", encoding="utf-8") as archive:
            return {
                member.name: file.read()
                for member in archive
                if member.isreg() and (file := archive.extractfile(member))
            }
    except tarfile.TarError as error:
        raise InvalidInput(f"{host}: the stream of files is incomplete: {error}") from None


def ordered(states: dict[str, FileState], paths: Sequence[str]) -> tuple[FileState, ...]:
    """The state of each of `paths`, in their order; `absent` where `states` lacks the path."""
    return tuple(states.get(path, FileState(path, "absent")) for path in paths)

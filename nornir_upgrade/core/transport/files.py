"""Files of a host: fixed scripts that tell and change them, one round trip each, and pure parsers of what these print.

Paths come as NUL-separated standard input or as positional parameters, and always absolute: no name can be taken for an option.
"""

import io
import re
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from nornir_upgrade.core.errors import CommandFailed, InvalidInput

from .host import FileState, Result

# find(1) tells what stands there (one record of six fields a path), an empty field ends that, sha256sum(1) tells of the files.
# The paths come twice, once for each; head(1) takes no byte more than it is told to.
_LOOK = """\
head -c "$1" | xargs -0r sh -c 'depth=$1; shift; find "$@" $depth -printf "%p\\0%y\\0%m\\0%u\\0%g\\0%l\\0"' sh "$2"
printf '\\000'
xargs -0r sh -c 'depth=$1; shift; find "$@" $depth -type f -print0' sh "$2" 2>/dev/null | xargs -0r sha256sum -z --
exit 0
"""

# The same, but owners are numbers, other file systems are left out, and tar(1) tells at last what has extended attributes: its
# archive goes nowhere, so that it reads no file (GNU tar, "compress"; a label of SELinux belongs to the policy, not to the file).
XATTRS = "--xattrs --xattrs-include='*' --xattrs-exclude=security.selinux --xattrs-exclude=security.evm"
LIST_XATTRS = (
    f"tar --create --file=/dev/null -vvv --numeric-owner --quoting-style=escape {XATTRS} "
    "--absolute-names --no-recursion --null --files-from=- 2>/dev/null | grep -B1 -e '^  x: '"
)
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

# A new file takes its place as in `_PUT`; a directory is changed where it stands.
_UNPACK = f"""\
temp=$(mktemp -d -- "$2/.nornir-upgrade.XXXXXXXXXX") || exit
trap 'rm -rf -- "$temp"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$temp/archive" || exit
[ "$(stat -c %s -- "$temp/archive")" = "$3" ] || {{ echo 'it came only in part' >&2; exit 1; }}
unpack() {{ tar --extract --file="$temp/archive" --directory="$1" --same-owner --numeric-owner --same-permissions {XATTRS}; }}
if [ "$4" = directory ]; then
  unpack "$2" && sync -- "$1"
else
  unpack "$temp" && sync -- "$temp/$5" && mv -fT -- "$temp/$5" "$1" && sync -- "$2"
fi
"""

_READ_XATTRS = f"""\
tar --create --file=- --format=posix --no-recursion --absolute-names --null --no-unquote --files-from=- {XATTRS}
"""

_XATTR = "SCHILY.xattr."
# Mode, owner, size, date, time, name.
_LISTED = re.compile(r"\S{10,11} +\S+ +\S+ \S+ \S+ (?P<path>.*)")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_MODE = re.compile(r"[0-7]{3,4}")
_OWNER = re.compile(r"[^:\s\0-][^:\s\0]*")


def look(paths: Iterable[str], *, below: bool) -> tuple[tuple[str, ...], bytes]:
    """The command that tells of `paths`, with `below` of all that lies below them too, and its standard input."""
    listed = names(paths)
    return ("sh", "-c", _LOOK, "sh", str(len(listed)), "" if below else "-maxdepth 0"), listed + listed


def survey(roots: Iterable[str]) -> tuple[tuple[str, ...], bytes]:
    """The command that tells all of what lies at and below `roots`, and its standard input."""
    listed = names(roots)
    return ("sh", "-c", _SURVEY, "sh", str(len(listed))), listed * 3


def read_xattrs(paths: Iterable[str]) -> tuple[tuple[str, ...], bytes]:
    """The command that writes what stands at `paths` as a tar stream with extended attributes, and its standard input."""
    return ("sh", "-c", _READ_XATTRS), names(paths)


def unpack(state: FileState, data: bytes) -> tuple[tuple[str, ...], bytes]:
    """The command that makes `state` true, with its extended attributes, and its standard input."""
    path = check_path(state.path)
    name = path.rstrip("/").rpartition("/")[2]
    archive = _archive(state, name, data)
    return ("sh", "-c", _UNPACK, "sh", path, _parent(path), str(len(archive)), state.kind, name), archive


def _archive(state: FileState, name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if state.kind == "directory" else tarfile.REGTYPE
    info.mode, info.uid, info.gid = int(_mode(state.mode), 8), int(state.owner), int(state.group)
    info.mtime, info.size = time.time(), len(data)
    info.pax_headers = {
        _XATTR + key: bytes.fromhex(value).decode("utf-8", "surrogateescape") for key, value in state.xattrs
    }
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


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


def parse_survey(host: str, result: Result) -> tuple[dict[str, FileState], dict[str, str]]:
    """What stands at and below the roots, without extended attributes, and what is told of these, by path.

    Passed over is what stands on another file system than what it lies below, and what is no file, directory or link.
    """
    refuse_errors(host, "find", result)
    fields = result.text.split("\0")
    at, devices, states = 0, dict[str, str](), dict[str, FileState]()
    while at + _SURVEYED <= len(fields) and fields[at]:
        path, letter, mode, owner, group, target, size, device = fields[at : at + _SURVEYED]
        at += _SURVEYED
        devices[path] = device
        if letter in _KINDS and devices.get(_parent(path), device) == device:
            states[path] = replace(_state(path, letter, mode, owner, group, target, {}), size=int(size))
    if at >= len(fields) or fields[at]:
        raise InvalidInput(f"{host}: what it tells of files is cut off")
    *entries, _, attributes = fields[at + 1 :]
    digests = dict(_parse_digest(host, entry) for entry in entries)
    found = {
        path: replace(one, digest=digests[path]) if one.kind == "file" else replace(one, size=0)
        for path, one in states.items()
        if one.kind != "file" or path in digests
    }
    return found, parse_xattr_names(attributes)


def parse_xattr_names(text: str) -> dict[str, str]:
    """What `LIST_XATTRS` prints: of each path, which extended attributes it has and how long these are."""
    told: dict[str, str] = {}
    path = ""
    for line in text.splitlines():
        if line.startswith("  x: "):
            size, _, name = line[5:].partition(" ")
            told[path] = " ".join(filter(None, (told.get(path, ""), f"{name}:{size}")))
        elif match := _LISTED.fullmatch(line):
            path = _unescaped(match["path"])
            path = path.rstrip("/") or path
    return told


def parse_xattrs(host: str, result: Result) -> dict[str, tuple[tuple[str, str], ...]]:
    """The extended attributes of what is in the stream, by path."""
    refuse_errors(host, "tar", result)
    try:
        with tarfile.open(fileobj=io.BytesIO(result.stdout), mode="r:", encoding="utf-8") as archive:
            return {member.name: tuple(sorted(_xattrs(member.pax_headers))) for member in archive}
    except tarfile.TarError as error:
        raise InvalidInput(f"{host}: the files came only in part: {error}") from None


def _xattrs(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in headers.items():
        if key.startswith(_XATTR):
            yield key.removeprefix(_XATTR), value.encode("utf-8", "surrogateescape").hex()


def _unescaped(name: str) -> str:
    """A name as tar(1) writes it with --quoting-style=escape."""
    data = _ESCAPE.sub(_character, name.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")


def _character(match: re.Match[bytes]) -> bytes:
    word = match[1]
    return bytes([int(word, 8)]) if word.isdigit() else _ESCAPES.get(word, word)


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

"""Extended attributes: transported as tar streams, together with the file or directory that has them."""

import io
import re
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping

from nornir_upgrade.core.errors import InvalidInput

from .file_command import check_path, mode_argument, names, parent_of, refuse_errors
from .host import FileState, Result

XATTRS = "--xattrs --xattrs-include='*' --xattrs-exclude=security.selinux --xattrs-exclude=security.evm"
"""Options of tar(1). SELinux labels and EVM signatures belong to the policy of a host, not to its files."""
LIST_XATTRS = (
    f"tar --create --file=/dev/null -vvv --numeric-owner --quoting-style=escape {XATTRS} "
    "--absolute-names --no-recursion --null --files-from=- 2>/dev/null | grep -B1 -e '^  x: '"
)
"""A command that lists paths with extended attributes; paths come in on standard input. `parse_xattr_names` reads its output."""

# A new file is written beside its path and then renamed; a directory is changed in place.
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


def read_xattrs(paths: Iterable[str]) -> tuple[tuple[str, ...], bytes]:
    """The command that writes `paths` as a tar stream with extended attributes, and its standard input."""
    return ("sh", "-c", _READ_XATTRS), names(paths)


def unpack(state: FileState, data: bytes) -> tuple[tuple[str, ...], bytes]:
    """The command that makes `state` true, with its extended attributes, and its standard input."""
    path = check_path(state.path)
    name = path.rstrip("/").rpartition("/")[2]
    archive = _archive(state, name, data)
    return ("sh", "-c", _UNPACK, "sh", path, parent_of(path), str(len(archive)), state.kind, name), archive


def _archive(state: FileState, name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if state.kind == "directory" else tarfile.REGTYPE
    info.mode, info.uid, info.gid = int(mode_argument(state.mode), 8), int(state.owner), int(state.group)
    info.mtime, info.size = time.time(), len(data)
    info.pax_headers = {
        _XATTR + key: bytes.fromhex(value).decode("utf-8", "surrogateescape") for key, value in state.xattrs
    }
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def parse_xattr_names(text: str) -> dict[str, str]:
    """Path -> `NAME:SIZE` of each extended attribute, separated by spaces, from the output of `LIST_XATTRS`."""
    attributes: dict[str, str] = {}
    path = ""
    for line in text.splitlines():
        if line.startswith("  x: "):
            size, _, name = line[5:].partition(" ")
            attributes[path] = " ".join(filter(None, (attributes.get(path, ""), f"{name}:{size}")))
        elif match := _LISTED.fullmatch(line):
            path = _unescaped(match["path"])
            path = path.rstrip("/") or path
    return attributes


def parse_xattrs(host: str, result: Result) -> dict[str, tuple[tuple[str, str], ...]]:
    """Path -> extended attributes (name, value in hexadecimal digits), from a tar stream. Raises `InvalidInput` if it is cut off."""
    refuse_errors(host, "tar", result)
    try:
        with tarfile.open(fileobj=io.BytesIO(result.stdout), mode="r:", encoding="utf-8") as archive:
            return {member.name: tuple(sorted(_xattrs(member.pax_headers))) for member in archive}
    except tarfile.TarError as error:
        raise InvalidInput(f"{host}: the stream of files is incomplete: {error}") from None


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

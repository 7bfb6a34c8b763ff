"""Walk: takes a picture of a host. A job of low priority runs find and sha256sum on the host; its lists are downloaded.

The job leaves a tar archive of lists. Every name in them ends with NUL, so that any name can be listed.
"""

import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import quote as escaped

from nornir_upgrade.core.errors import CommandFailed, DiskFull, InvalidInput, TimedOut
from nornir_upgrade.core.transport.disk import full
from nornir_upgrade.core.transport.file_command import check_path
from nornir_upgrade.core.transport.host import Host

from . import mounts
from .picture import KINDS, Head, PathState, Picture

DIRECTORY = "/var/lib/nornir-upgrade/picture"
JOB = "picture"
_ARCHIVE = "picture.tar.gz"
_PAUSE = 5.0  # seconds between two readings of the job's progress
_LONGEST = 6 * 3600.0
_FIELDS = 5

LOW = """\
if command -v ionice >/dev/null; then exec ionice -t -c 3 nice -n 19 "$@"; fi
exec nice -n 19 "$@"
"""

# find reports files that vanish meanwhile; that is no failure. `walk.err` holds its other errors.
WALK = """\
umask 077
dir=$1; shift
rm -rf -- "$dir" && mkdir -p -- "$dir" && cd -- "$dir" && : >begun || exit
find "$@" -xdev -path "$dir" -prune -o -fprint0 paths -fprintf entries '%p\\0%y\\0%m\\0%U:%G\\0%l\\0' \\
  \\( -type f -fprint0 files -o \\( -type b -o -type c \\) -fprint0 nodes \\) 2>walk.err
! grep -q 'No space left' walk.err || { cat walk.err; exit 1; }
"""

# Contents are read first, so that little time passes between listing a file and reading it.
READ = """\
umask 077
cd -- "$1" || exit; shift
xargs -0r sha256sum -z -- <files >digests 2>read.err
xargs -0r stat --printf '%n\\0%t:%T\\0' -- <nodes >devices 2>>read.err
: >xattrs; : >xattrs.by
for python in python3 /usr/libexec/platform-python ''; do
  if [ -z "$python" ] || "$python" -c 'import os; os.listxattr' 2>/dev/null; then break; fi
done
if command -v getfattr >/dev/null; then
  xargs -0r getfattr --no-dereference --dump --match=- --encoding=hex --absolute-names -- <paths >xattrs 2>>read.err
  echo getfattr >xattrs.by
elif [ -n "$python" ]; then
  xargs -0r "$python" -c "$XATTRS" <paths >xattrs 2>>read.err
  echo python3 >xattrs.by
fi
dir=$PWD
find "$@" -xdev -path "$dir" -prune -o -type f -newercm begun -fprint0 late 2>>read.err
! grep -q 'No space left' read.err || { cat read.err; exit 1; }
"""

XATTRS = """\
import os, sys
for path in map(os.fsencode, sys.argv[1:]):
    try:
        for name in os.listxattr(path, follow_symlinks=False):
            value = os.getxattr(path, name, follow_symlinks=False)
            sys.stdout.buffer.write(b"\\0".join((path, os.fsencode(name), value.hex().encode(), b"")))
    except OSError:
        pass
"""

# The digest of a file whose order of stanzas or lines has no meaning: of its sorted text. RS="" of awk reads stanzas.
MEAN = """\
umask 077
cd -- "$1" || exit; shift
stanzas() { awk 'BEGIN { RS = "" } { gsub("\\n", "\\001"); print }' | sort; }
lines() { sort; }
while [ $# -gt 1 ]; do
  case $1 in stanzas|lines) ;; *) exit 1 ;; esac
  if [ -f "$2" ] && [ ! -L "$2" ]; then printf '%s\\0%s\\0' "$2" "$("$1" <"$2" | sha256sum | cut -c 1-64)"; fi
  shift 2
done >meanings
"""

PACK = """\
cd -- "$1" && tar --create --file=- entries digests devices xattrs xattrs.by late meanings | gzip -1 >"$2"
"""

PROGRESS = """\
cd -- "$1" 2>/dev/null || exit 0
count() { tr -cd '\\000' <"$1" 2>/dev/null | wc -c; }
count files; count digests
"""

_LISTS = ("entries", "digests", "devices", "xattrs", "xattrs.by", "late", "meanings")
_OCTAL = re.compile(rb"\\([0-7]{3})")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class WalkProgress:
    """The progress on a host: `read` of `files` files are read."""

    host: str
    read: int
    files: int


Tell = Callable[[WalkProgress], None]


def take(host: Host, meanings: Iterable[tuple[str, str]] = (), tell: Tell | None = None) -> Picture:
    """The picture of all file systems with files of the host's own. Nothing of the job is left on the host.

    `meanings`: paths of files without a meaningful order, each with `stanzas` or `lines`. `tell` is called with the progress every
    few seconds. Raises `DiskFull`, `CommandFailed`, `TimedOut`, `InvalidInput`, `Unreachable`.
    """
    choice = mounts.choose(mounts.parse(host.read(mounts.TABLE).decode("utf-8", "surrogateescape")))
    host.forget(JOB)
    try:
        _carry_out(host, commands(choice.roots, meanings), tell)
        with TemporaryFile() as archive:
            host.download(f"{DIRECTORY}/{_ARCHIVE}", archive)
            archive.seek(0)
            lists = _lists(host.name, archive)
    finally:
        clear(host)
    return _without_vanished(host, parse(lists, choice))


def clear(host: Host) -> None:
    """Afterwards nothing of a picture is left on the host, unless a job is still making it."""
    host.run(("rm", "-rf", "--", DIRECTORY))
    host.forget(JOB)


def commands(
    roots: Sequence[str], meanings: Iterable[tuple[str, str]], directory: str = DIRECTORY
) -> tuple[tuple[str, ...], ...]:
    """The commands of the job, each with low priority."""
    words = tuple(word for path, how in meanings for word in (how, check_path(path)))
    scripts = (
        ("sh", "-c", WALK, "sh", directory, *map(check_path, roots)),
        ("env", f"XATTRS={XATTRS}", "sh", "-c", READ, "sh", directory, *roots),
        ("sh", "-c", MEAN, "sh", directory, *words),
        ("sh", "-c", PACK, "sh", directory, _ARCHIVE),
    )
    return tuple(("sh", "-c", LOW, "sh", *argv) for argv in scripts)


def _carry_out(host: Host, argvs: Sequence[Sequence[str]], tell: Tell | None) -> None:
    for _ in range(int(_LONGEST / _PAUSE)):
        with suppress(TimedOut):
            result = host.job(JOB, argvs, timeout=_PAUSE)
            break
        if tell:
            tell(_progress(host))
    else:
        raise TimedOut(f"{host.name}: the picture took longer than {_LONGEST:g} s")
    if result.status != 0:
        if line := full(result.text):
            raise DiskFull(f"{host.name}: {line}", hint="make room there: lists of all files take some 30 MB")
        raise CommandFailed(host.name, "picture", result.status, result.text)


def _progress(host: Host) -> WalkProgress:
    counts = host.run(("sh", "-c", PROGRESS, "sh", DIRECTORY), check=False).text.split()
    files, read = (*map(int, counts), 0, 0)[:2]
    return WalkProgress(host.name, read, files)


def _lists(host: str, archive: IO[bytes]) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            lists = {member.name: file.read() for member in tar if (file := tar.extractfile(member))}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InvalidInput(f"{host}: the picture is incomplete: {error}") from None
    if missing := [name for name in _LISTS if name not in lists]:
        raise InvalidInput(f"{host}: the picture lacks {', '.join(missing)}")
    return lists


def parse(lists: Mapping[str, bytes], choice: mounts.Choice) -> Picture:
    """The picture from the lists of the job's archive. Raises `InvalidInput` if a list is cut off."""
    by = lists["xattrs.by"].decode().strip()
    xattrs = _from_getfattr(lists["xattrs"]) if by == "getfattr" else _from_python(lists["xattrs"])
    digests = dict(_digests(lists["digests"]))
    devices, meanings = dict(_pairs(lists["devices"])), dict(_pairs(lists["meanings"]))
    late = {*_texts(lists["late"])}
    outside = {out.point for out in choice.left_out}
    records = {}
    for path, kind, mode, owner, target in _groups(_texts(lists["entries"]), _FIELDS):
        if path not in outside and kind in KINDS:
            entry = PathState(
                kind,
                mode.zfill(4),
                owner,
                digests.get(path, ""),
                meanings.get(path, ""),
                devices.get(path, ""),
                path in late,
                xattrs.get(path, ""),
                target,
            )
            records[path] = entry.record()
    return Picture(Head(roots=choice.roots, left_out=choice.left_out, xattrs=by), records)


def _without_vanished(host: Host, picture: Picture) -> Picture:
    """The picture without files that were listed and then removed, before they were read."""
    unread = [
        path for path in picture.records if (entry := picture.entry(path)) and entry.kind == "f" and not entry.digest
    ]
    with suppress(InvalidInput):  # a device or the like has replaced a file: it was not read either
        gone = {state.path for state in host.stat(unread) if state.kind == "absent"}
        records = {path: record for path, record in picture.records.items() if path not in gone}
        head = Head(picture.head.format, picture.head.roots, picture.head.left_out, picture.head.xattrs, len(gone))
        return Picture(head, records)
    return picture


# ---------------------------------------------------------------------- lists


def _texts(data: bytes) -> list[str]:
    if data and not data.endswith(b"\0"):
        raise InvalidInput("a list of the picture is cut off")
    return data.decode("utf-8", "surrogateescape").split("\0")[:-1]


def _groups(texts: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    if len(texts) % size:
        raise InvalidInput("a list of the picture is cut off")
    fields = iter(texts)
    return zip(*[fields] * size, strict=True)


def _pairs(data: bytes) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in _groups(_texts(data), 2))


def _digests(data: bytes) -> Iterator[tuple[str, str]]:
    """Path and digest of each file. sha256sum(1) -z prints 64 digits, a space, a space or an asterisk, and the path."""
    for text in _texts(data):
        if not _DIGEST.fullmatch(text[:64]) or len(text) < 67:
            raise InvalidInput(f"not a digest: {text[:80]!r}")
        yield text[66:], text[:64]


def _from_python(data: bytes) -> dict[str, str]:
    return _joined(_groups(_texts(data), 3))


def _from_getfattr(data: bytes) -> dict[str, str]:
    """getfattr(1) prints a line `# file: NAME`, a line `attribute=0xHEX` each, and an empty line. Odd bytes of names are octal."""
    triples = []
    path = ""
    for line in data.split(b"\n"):
        if line.startswith(b"# file: "):
            path = _unquoted(line.removeprefix(b"# file: "))
        elif line:
            name, _, value = line.partition(b"=")
            triples.append((path, _unquoted(name), value.decode("ascii", "replace").removeprefix("0x")))
    return _joined(triples)


def _joined(triples: Iterable[tuple[str, ...]]) -> dict[str, str]:
    by_path: dict[str, list[str]] = {}
    for path, name, value in triples:
        by_path.setdefault(path, []).append(f"{escaped(name.encode('utf-8', 'surrogateescape'))}={value}")
    return {path: ",".join(sorted(attributes)) for path, attributes in by_path.items()}


def _unquoted(name: bytes) -> str:
    return _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), name).decode("utf-8", "surrogateescape")

"""Copies: package files that a host keeps for its own way back, each under its SHA-256 in a private directory of its own.

As in the store of the controller, a copy is 0600 in a 0700 directory from its first byte, written beside its place and renamed after
it was synced and verified, and verified whenever it is used: it is whole, or it does not count.
"""

import re
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping
from typing import BinaryIO

from nornir_upgrade.core.errors import CommandFailed, DiskFull, InvalidInput
from nornir_upgrade.core.transport.disk import RESERVE, ROOM, full
from nornir_upgrade.core.transport.host import FileState, Host

DIRECTORY = "/var/lib/nornir-upgrade/kept"
"""Where copies stand on a host; root's alone."""

_LIMIT = 600.0  # seconds; all that a host keeps is read to its end
_DIGEST = re.compile(r"[0-9a-f]{64}")
_END = "== end"

# stdin: digests, a line each. What cannot be read is not told of.
LOOK = f"""\
cd -- "$1" 2>/dev/null && xargs -r sha256sum -- 2>/dev/null
echo '{_END}'
"""

# stdin: digest and path, parted by a tab. `files.put_argv` leaves its own half-written ones only where it was killed.
TAKE = f"""\
rm -f -- "$1"/.incoming-* "$1"/.nornir-upgrade.*
{ROOM}
chmod 700 .
while IFS="$(printf '\\t')" read -r digest path; do
  incoming=$(mktemp .incoming-XXXXXXXXXX) || exit
  cp -- "$path" "$incoming" && sync -- "$incoming" && said=$(sha256sum <"$incoming") && [ "${{said%% *}}" = "$digest" ] &&
    mv -f -- "$incoming" "$digest" || rm -f -- "$incoming"
done
sync -- .
"""

# stdin: digest and path, parted by a tab. A link costs no room; over the border of two file systems it is a copy.
LEND = """\
umask 077
while IFS="$(printf '\\t')" read -r digest path; do
  said=$(sha256sum 2>/dev/null <"$1/$digest") && [ "${said%% *}" = "$digest" ] || continue
  ln -f -- "$1/$digest" "$path" 2>/dev/null || cp -- "$1/$digest" "$path" || rm -f -- "$path"
done
"""

# stdin: digests, a line each. A .deb is an ar archive whose second member tells of the package, after ten digits of its size (deb(5));
# the head ends with the intro of the third. An .rpm begins with a lead of 96 bytes and two headers, the second at a multiple of 8;
# each tells at its bytes 8 and 12 how many entries of 16 bytes it has, and how many bytes more (rpm's docs/manual/format.md).
HEADS = f"""\
cd -- "$1" || exit
number() {{
  set -- $(od -An -tu1 -j "$2" -N 4 -- "$1")
  echo $((($1 << 24) + ($2 << 16) + ($3 << 8) + $4))
}}
header() {{ echo $((16 + 16 * $(number "$1" $(($2 + 8))) + $(number "$1" $(($2 + 12))))); }}
while IFS= read -r digest; do
  if [ "$(head -c 7 -- "$digest" | tr -d '\\0')" = '!<arch>' ]; then
    size=$(tail -c +121 -- "$digest" | head -c 10)
    size=$((192 + ${{size%% *}} + ${{size%% *}} % 2))
  else
    size=$((96 + ($(header "$digest" 96) + 7) / 8 * 8))
    size=$((size + $(header "$digest" $size)))
  fi
  printf '%s\\t' "$digest"
  head -c "$size" -- "$digest" | base64 -w 0
  echo
done
echo '{_END}'
"""


def whole(host: Host, digests: Iterable[str]) -> frozenset[str]:
    """Those of `digests` of which an undamaged copy stands on `host`. Reads only."""
    lines = _answer(host, LOOK, digests)
    sums = ((line[:64], line[66:]) for line in lines)
    return frozenset(name for digest, name in sums if digest == name)


def take(host: Host, paths: Mapping[str, str], size: int) -> None:
    """Afterwards the host has copies of those of its own files at `paths` (by digest) that are what they should be.

    Raises `DiskFull` where `size` bytes, and as much again for what comes in place of the old, do not fit.
    """
    lines = "".join(f"{_checked(digest)}\t{path}\n" for digest, path in paths.items())
    argv = ("sh", "-c", TAKE, "sh", DIRECTORY, str(2 * size + RESERVE))
    result = host.run(argv, stdin=lines.encode("utf-8", "surrogateescape"), timeout=_LIMIT, check=False)
    if result.status != 0:
        output = result.text.strip() or result.errors.strip()
        raise _full(host, output) if full(output) else CommandFailed(host.name, "keeping copies", result.status, output)


def receive(host: Host, source: BinaryIO, digest: str) -> None:
    """Afterwards what came of `source` stands as the copy `digest`. Raises `DiskFull` where it does not fit."""
    host.upload(source, f"{DIRECTORY}/{_checked(digest)}")


def send(host: Host, digest: str, sink: BinaryIO) -> None:
    """Write the copy `digest` into `sink`, as it is. Raises `CommandFailed` where it is not there."""
    host.download(f"{DIRECTORY}/{_checked(digest)}", sink)


def lend(host: Host, places: Mapping[str, str]) -> None:
    """Afterwards at each of `places` (path -> digest) stands what the host itself holds undamaged of it."""
    lines = "".join(f"{_checked(digest)}\t{path}\n" for path, digest in places.items())
    host.run(("sh", "-c", LEND, "sh", DIRECTORY), stdin=lines.encode(), timeout=_LIMIT)


def heads(host: Host, digests: Iterable[str]) -> dict[str, bytes]:
    """Of each of these copies, which stand on the host, the beginning, in which it says what it is and what it demands."""
    rows = (line.partition("\t") for line in _answer(host, HEADS, digests))
    try:
        return {digest: b64decode(text, validate=True) for digest, _, text in rows}
    except ValueError:  # binascii.Error is one
        raise InvalidInput(f"{host.name}: what it tells of its copies is cut off") from None


def drop(host: Host, digests: Collection[str]) -> None:
    """Afterwards the host has none of these copies, and without any no directory for them."""
    if digests:
        host.run(("rm", "-f", "--", *(f"{DIRECTORY}/{_checked(digest)}" for digest in sorted(digests))))
        host.place(FileState(DIRECTORY, "absent"))


def _answer(host: Host, script: str, digests: Iterable[str]) -> list[str]:
    stdin = "".join(f"{_checked(digest)}\n" for digest in sorted(digests)).encode()
    *lines, last = host.run(("sh", "-c", script, "sh", DIRECTORY), stdin=stdin, timeout=_LIMIT).text.splitlines() or [
        ""
    ]
    if last != _END:
        raise InvalidInput(f"{host.name}: what it tells of its copies is cut off")
    return lines


def _checked(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(f"{digest!r} is no SHA-256")
    return digest


def _full(host: Host, reason: str) -> DiskFull:
    return DiskFull(f"{host.name}: {reason}", hint="make room there, then do it again: what came is kept")

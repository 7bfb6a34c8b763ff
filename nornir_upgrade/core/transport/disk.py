"""Disk: detects in the output of a command that a disk is full, and makes a private directory on a host where there is room.

Imports no other module of transport, so that all of them may use it.
"""

import re
from collections.abc import Iterable

from nornir_upgrade.core.errors import DiskFull

# Messages about a full disk: of the kernel and programs that quote it; of apt-get before a download; of dnf before a transaction; of
# mariadb-dump and mariadbd, which print only the number (errno(3), ENOSPC).
_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|You don't have enough free space in |(errno|Errcode:) 28\b"
    r"|At least [0-9]+[KMG]?B more space needed on the |installing package .* needs [0-9]+[KMG]?B more space on the "
)

RESERVE_KIB = 16 << 10
"""KiB that a private directory leaves free on its disk."""

# `sum` adds up a number a line. `home KIB` makes `$root`, root's alone, where so much is free, and removes it however the script ends;
# `$free` is what is free there. Of a file system that is memory half of what is available counts. A shell that writes to a connection
# which has gone is ended by SIGPIPE, and would leave the directory behind.
HOME = f"""\
sum() {{ awk '{{ sum += $1 }} END {{ print sum + 0 }}'; }}
free() {{
  free=$(df -Pk -- "$1" 2>/dev/null | awk 'NR == 2 {{ print $4 }}')
  if [ "$(stat -f -c %T -- "$1" 2>/dev/null)" = tmpfs ]; then
    memory=$(awk '/^MemAvailable:/ {{ print int($2 / 2) }}' /proc/meminfo)
    [ "${{memory:-0}}" -ge "${{free:-0}}" ] || free=$memory
  fi
  free=$((${{free:-0}} - {RESERVE_KIB}))
}}
home() {{
  for at in /var/tmp /tmp /run /dev/shm; do
    free "$at"
    [ "$free" -ge "$1" ] && root=$(mktemp -d "$at/nornir-upgrade.XXXXXXXXXX" 2>/dev/null) || continue
    trap 'rm -rf "$root"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    return
  done
  free /var/tmp
  echo "No space left on device: $1 KiB are needed in /var/tmp, /tmp, /run or /dev/shm; $free KiB are free in /var/tmp" >&2
  exit 1
}}
"""

# apt rewrites its cache of the indexes whenever the cache is old. `$uncached` holds options that prevent it where the disk could fill.
UNCACHED = f"""\
uncached=
if [ "$(df -Pk /var/cache/apt 2>/dev/null | awk 'NR == 2 {{ print $4 }}')" -lt {256 << 10} ]; then
  uncached='-oDir::Cache::pkgcache= -oDir::Cache::srcpkgcache='
fi 2>/dev/null
"""


RESERVE = 16 << 20
"""Bytes that collecting package files leaves free on a host."""
# The beginning of a job: its files are private, and it starts only if its files fit. $1 directory, $2 bytes.
ROOM = """\
umask 077
mkdir -p -- "$1" && cd -- "$1" || exit
free=$(df --output=avail -B1 . | tail -n 1)
[ "$free" -ge "$2" ] || { echo "No space left on device: $1 has $free bytes free, $2 are needed"; exit 1; }
"""
# For a job that downloads into `$cache`: it starts only with room there. If it fails without room left, it prints so: curl, dpkg and
# apt have messages of their own for a full disk.
SPACE = f"""\
room() {{
  free=$(df --output=avail -B1 "$1" | tail -n 1)
  [ "${{free:-{RESERVE}}}" -ge {RESERVE} ] || echo "No space left on device: $1 has $free bytes free, {RESERVE} are to be left"
}}
short() {{ room "$cache"; room /var/tmp; exit "$1"; }}
said=$(room "$cache"; room /var/tmp); [ -z "$said" ] || {{ echo "$said"; exit 1; }}
"""


def full(output: str) -> str:
    """The last line of `output` that reports a full disk; '' if there is none."""
    lines: Iterable[str] = (line.strip() for line in reversed(output.splitlines()))
    return next((line for line in lines if _FULL.search(line)), "")


def of_full(host: str, output: str) -> DiskFull | None:
    """The `DiskFull` for a command on `host`, if its output reports a full disk."""
    line = full(output)
    return DiskFull(f"{host}: {line}", hint="make room there, then do it again") if line else None


def refuse_full(host: str, status: int, output: str) -> None:
    """Raises `DiskFull` if a command on `host` failed (`status` is not 0) and its output reports a full disk."""
    if status != 0 and (failure := of_full(host, output)):
        raise failure

"""Disks: what is said of one that is full, and a private directory on a host where there is room for it.

Imports no transport: whoever runs a command may ask what its output says.
"""

import re
from collections.abc import Iterable

from nornir_upgrade.core.errors import DiskFull

# What is said of a disk that is full: by the kernel and by all that ask it, by apt-get before it fetches anything, by dnf before its
# transaction, and by mariadb-dump and mariadbd, which tell the number alone (errno(3), ENOSPC).
_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|You don't have enough free space in |(errno|Errcode:) 28\b"
    r"|At least [0-9]+[KMG]?B more space needed on the |installing package .* needs [0-9]+[KMG]?B more space on the "
)

RESERVE_KIB = 16 << 10
"""What a private directory leaves free for others."""

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

# apt writes what it made of the indexes into its cache whenever that is old. `$uncached` has it write nothing where that could fill
# the disk.
UNCACHED = f"""\
uncached=
if [ "$(df -Pk /var/cache/apt 2>/dev/null | awk 'NR == 2 {{ print $4 }}')" -lt {256 << 10} ]; then
  uncached='-oDir::Cache::pkgcache= -oDir::Cache::srcpkgcache='
fi 2>/dev/null
"""


def full(said: str) -> str:
    """The last line of `said` that tells of a disk that is full; '' where none does."""
    lines: Iterable[str] = (line.strip() for line in reversed(said.splitlines()))
    return next((line for line in lines if _FULL.search(line)), "")


def of_full(host: str, said: str) -> DiskFull | None:
    """The failure of a command on `host` that died of a disk that is full, by what it said."""
    line = full(said)
    return DiskFull(f"{host}: {line}", hint="make room there, then do it again") if line else None


def refuse_full(host: str, status: int, said: str) -> None:
    """Raises `DiskFull` where a command on `host` that did not end with `status` 0 says that it died of a disk that is full."""
    if status != 0 and (failure := of_full(host, said)):
        raise failure

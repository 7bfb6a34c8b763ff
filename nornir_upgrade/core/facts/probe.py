"""Inspection: what facts do not hold and the preflight asks, in one round trip a host, read-only, with a strict and pure parser.

Clock, room on disks, who changes packages, which configuration was edited, what no repository offers, and whether databases answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Literal

from nornir_upgrade.core.database.mariadb import MARIADB
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.state.places import AT_ONCE, LEFT, roots
from nornir_upgrade.core.transport.disk import refuse_full
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.odd_names import written_out
from nornir_upgrade.core.transport.sections import APART, SHELL, Section, new_boundary, split
from nornir_upgrade.core.transport.unreadable import unreadable

Doing = Literal["lock", "script", "tool"]

DUMPS = "/var/lib/nornir-upgrade"
"""Where dumps, and files for escrow, stand until they are fetched."""

_FIRST = "inspection 1"
_TIMEOUT = 300.0  # seconds: what was edited is found out by reading all configuration

# A directory that is not there yet will be made in the nearest one above it that is. df(1): `-` where a file system counts no inodes.
_HEAD = f"""\
export LC_ALL=C
defaults=$1 query=$2
echo "{_FIRST} $boundary"
mark begin 0
date +%s.%N; mark clock $?
room() {{
  for path do
    at=$path
    while [ ! -e "$at" ]; do at=${{at%/*}}; at=${{at:-/}}; done
    printf '%s\\t' "$path"
    df -B1 --output=avail,iavail,itotal,target -- "$at" | tail -n 1 || return
  done
}}
named() {{
  for pid; do printf '%s %s\\n' "$pid" "$(cat /proc/$pid/comm 2>/dev/null)"; done
}}
"""
# Some of these run for ever and wait: they change nothing while they do.
_TOOLS = """\
tools() {
  for file in /proc/[0-9]*/comm; do
    read -r name 2>/dev/null <"$file" || continue
    case " $1 " in *" $name "*) ;; *) continue ;; esac
    if grep -qsa -e '-shutdown' -e '--wait-for-signal' "${file%comm}cmdline"; then continue; fi
    pid=${file#/proc/}
    echo "${pid%/comm}"
  done
}
at_work() {
  named $(holders | sort -un) | sed 's/^/lock /'
  named $(scripts | sort -un) | sed 's/^/script /'
  named $(tools "$1") | sed 's/^/tool /'
}
"""
_TAIL = """\
if [ -e /run/reboot-required ]; then echo "${tab}the host asks for it"; cat /run/reboot-required.pkgs 2>/dev/null; fi; mark asked 0
"""
# What is captured beside packages: files that are too large for it, and how much the others have together.
_STATE = f"""\
find {" ".join(roots(restored=True))} -xdev '(' {" -o ".join(f"-path {place.path}" for place in LEFT)} ')' -prune \\
  -o -type f -printf '%s\\t%p\\n' 2>/dev/null |
  awk -F '\\t' '$1 > {AT_ONCE} {{ print }} $1 <= {AT_ONCE} {{ sum += $1 }} END {{ printf "%.0f\\n", sum }}'; mark state 0
mark end 0
"""


def script(manager: str) -> str:
    """The fixed script for hosts with this package manager."""
    packages = family_of(manager).probe.SCRIPT
    return f"{SHELL}{APART}{_HEAD}{_TOOLS}tab=$(printf '\\t')\n{packages}{_TAIL}{MARIADB.size_script}{_STATE}"


@dataclass(frozen=True, slots=True)
class Room:
    """What is free for `path`, on the file system that is mounted at `mount`. `inodes` is None where it counts none."""

    path: str
    mount: str
    free: int
    inodes: int | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that changes packages: it holds the `lock`, is a maintainer's `script`, or one of the `tool`s for it."""

    doing: Doing
    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found on one host.

    `skew`: seconds that its clock is ahead of the controller's, as far as the time that the answer took lets us know. `sizes`: bytes of
    installed packages. `edited`: configuration files that are no longer as their package shipped them. `offered`: name and version of
    what its repositories have of the packages that are installed, None where it could not tell. `unchecked`: files of repositories
    whose signatures nobody looks at. `reboot`: why it should be restarted. `databases`: bytes of those that were asked
    for and are there; `refused`: what their client said instead. `large`: files with their bytes that no capture takes, `captured`:
    bytes that one would take.
    """

    host: str
    skew: float
    rooms: tuple[Room, ...]
    at_work: tuple[Worker, ...]
    sizes: Mapping[PackageName, int]
    edited: tuple[str, ...]
    offered: frozenset[tuple[str, str]] | None
    unchecked: tuple[str, ...]
    reboot: tuple[str, ...]
    databases: Mapping[str, int]
    refused: str = ""
    large: tuple[tuple[str, int], ...] = ()
    captured: int = 0


def inspect(host: Host, manager: str, databases: Sequence[str] = (), defaults_file: str = "") -> Probe:
    """What there is to be known of `host`, with its package `manager`, and of the `databases` on it. Changes nothing.

    Raises `HostUnreadable` where its answer is not what was asked, and `InvalidInput` for a name that is none.
    """
    query = MARIADB.size_query(databases)
    asked = time()
    result = host.run(
        ("sh", "-c", script(manager), "sh", new_boundary(), defaults_file, query), timeout=_TIMEOUT, check=False
    )
    try:
        return parse(written_out(result.text), host.name, manager, asked, time())
    except InvalidInput as refusal:
        refuse_full(host.name, result.status or 1, result.errors)
        raise unreadable(host.name, "what the preflight asks", refusal, result.errors) from None


def parse(text: str, host: str, manager: str, asked: float, answered: float) -> Probe:
    """What the script's output tells; it was asked and had answered at these times of the controller's clock. Raises `InvalidInput`."""
    first, _, _ = text.partition("\n")
    if not first.startswith(f"{_FIRST} ==="):
        raise InvalidInput(f"line 1: no inspection of this version: {first[:80]!r}")
    sections = split(text, first.removeprefix(f"{_FIRST} "))
    half = family_of(manager).probe
    if missing := [name for name in (*_PARTS, *half.PARTS) if name not in sections]:
        raise InvalidInput(f"the answer lacks {', '.join(missing)}")
    databases, refused = MARIADB.parse_sizes(sections["databases"])
    return Probe(
        host=host,
        skew=_skew(sections["clock"], asked, answered),
        rooms=tuple(_room(sections["rooms"].succeeded(), *line) for line in sections["rooms"].lines()),
        at_work=tuple(_worker(sections["work"], *line) for line in sections["work"].lines()),
        sizes=half.sizes(sections["sizes"]),
        edited=half.edited(sections["edited"]),
        offered=half.offered(sections["offered"]),
        unchecked=half.unchecked(sections["unchecked"]),
        reboot=(*_asked(sections["asked"]), *half.reboot(sections)),
        databases=databases,
        refused=refused,
        large=tuple(_large(sections["state"].lines())),
        captured=sum(int(line) for _, line in sections["state"].lines() if line.isdecimal()),
    )


_PARTS = ("clock", "rooms", "work", "sizes", "edited", "offered", "unchecked", "asked", "databases", "state")


def _large(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, int]]:
    """A line with neither a size nor a path is the rest of a name that holds line feeds."""
    for _, line in lines:
        size, tab, path = line.partition("\t")
        if tab and size.isdecimal():
            yield path, int(size)


def _skew(section: Section, asked: float, answered: float) -> float:
    """A clock that shows any time between question and answer may be right."""
    try:
        there = float(section.succeeded().text)
    except ValueError:
        raise section.fail(f"no time: {section.text!r}") from None
    return there - answered if there > answered else min(there - asked, 0.0)


def _room(section: Section, offset: int, line: str) -> Room:
    path, tab, rest = line.partition("\t")
    fields = rest.split(None, 3)
    if not tab or len(fields) != 4 or not fields[0].isdecimal():
        raise section.fail(f"no room: {line!r}", offset)
    free, inodes, total, mount = fields
    counted = inodes.isdecimal() and total.isdecimal() and int(total) > 0
    return Room(path, mount, int(free), int(inodes) if counted else None)


def _worker(section: Section, offset: int, line: str) -> Worker:
    match line.split(" ", 2):
        case ["lock" | "script" | "tool" as doing, pid, name] if pid.isdecimal():
            return Worker(doing, int(pid), name)
    raise section.fail(f"no process: {line!r}", offset)


def _asked(section: Section) -> tuple[str, ...]:
    """`/run/reboot-required.pkgs` names packages, some more than once."""
    words = dict.fromkeys(line.strip() for _, line in section.lines())
    return tuple(word for word in words if word)

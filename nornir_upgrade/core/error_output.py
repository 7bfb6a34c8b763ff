"""Which lines of a failed command's output are told: those that say why, first, and then its last ones. Imports nothing of ours."""

import re
from collections.abc import Sequence

_MOST = 12
_LONG = 200  # characters of a line
_BEFORE = 3  # lines that a failing script is given, ahead of dpkg's word on it
_STRONGEST = 8  # lines that say why

# What a simulation lists, what a version control system of /etc lists, and progress.
_NOISE = re.compile(
    r"(?:Inst|Conf|Remv|Purg) \S+ [\[(]"
    r"|(?:create|delete) mode [0-7]{6} |rename \S.* \([0-9]+%\)$|mode change [0-7]{6} => |[0-9]+ files? changed,"
    r"|Reading (?:package lists|state information|database)|Building dependency tree|\(Reading database "
)
_WHY = re.compile(
    r"E: (?!Sub-process )|W: |dpkg: error |dpkg-\w+: error|dpkg: unrecoverable|error: |\S+: error |\S.* error "
    r"|.*(?:No space left on device|Disk quota exceeded|Operation not permitted|Permission denied|Read-only file system"
    r"|Input/output error|Cannot allocate memory|[Ee]rrno 28\b|subprocess returned error)"
)
_PLAIN_FAULT = re.compile(
    r"No space left on device|Disk quota exceeded|Operation not permitted|Permission denied|Read-only file system|Input/output error"
)
_OF_DPKG = re.compile(r"dpkg: error processing (?:package|archive) ")
_STEP = re.compile(
    r"(?:Setting up|Unpacking|Preparing to unpack|Removing|Purging configuration files for|Processing triggers) "
)


def told(output: str) -> str:
    """At most twelve lines of `output`, none longer than 200 characters: those that say why it failed come first."""
    every = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in every if not _NOISE.match(line)] or every
    why = _why(lines)
    rest = [number for number in range(len(lines)) if number not in why]
    chosen = [*why, *rest[max(0, len(rest) - (_MOST - len(why))) :]]
    return "\n".join(_cut(lines[number]) for number in chosen)


def _why(lines: Sequence[str]) -> list[int]:
    """The lines that say why, in their order. Those in which the system itself refused something go before warnings and the like."""
    found = set[int]()
    for number, line in enumerate(lines):
        if _OF_DPKG.match(line):
            found.update(_of_script(lines, number), {number}, {number + 1} & {*range(len(lines))})
        elif _WHY.match(line):
            found.add(number)
    ranked = sorted(found, key=lambda number: (not _PLAIN_FAULT.search(lines[number]), lines[number].startswith("W: ")))
    return sorted(ranked[:_STRONGEST])


def _of_script(lines: Sequence[str], number: int) -> set[int]:
    """The last lines of the script that dpkg tells of at `number`: nothing where it says of itself what failed."""
    if not any("script subprocess" in line for line in lines[number : number + 2]):
        return set()
    first = number
    while first > 0 and number - first < _BEFORE and not _STEP.match(lines[first - 1]):
        first -= 1
    return set(range(first, number))


def _cut(line: str) -> str:
    """A long line loses its middle, or what stands around the fault that it names."""
    if len(line) <= _LONG:
        return line
    fault = _PLAIN_FAULT.search(line)
    end = fault.end() if fault else 0
    if end <= _LONG - 3:
        return f"{line[: _LONG - 3]}..."
    head = line[:60]
    return f"{head}...{line[max(60, end - (_LONG - 66)) : end]}" + ("..." if end < len(line) else "")

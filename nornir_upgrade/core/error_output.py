"""Error output: an excerpt of a failed command's output: lines that name a cause, then the last lines. Imports no module of ours."""

import re
from collections.abc import Sequence

_MOST = 12
_LONG = 200  # characters of a line
_BEFORE = 3  # lines of a failing maintainer script, before dpkg's message about it
_STRONGEST = 8  # lines that name a cause

# Lists of a simulation, lists of a version control system of /etc, and progress.
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


def excerpt(output: str) -> str:
    """At most twelve lines of `output`, none longer than 200 characters: first those that name a cause, then the last lines."""
    all_lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in all_lines if not _NOISE.match(line)] or all_lines
    causes = _causes(lines)
    rest = [number for number in range(len(lines)) if number not in causes]
    chosen = [*causes, *rest[max(0, len(rest) - (_MOST - len(causes))) :]]
    return "\n".join(_cut(lines[number]) for number in chosen)


def _causes(lines: Sequence[str]) -> list[int]:
    """The numbers of the lines that name a cause, in order. Errors of the system (disk full, ...) are preferred to warnings."""
    causes = set[int]()
    for number, line in enumerate(lines):
        if _OF_DPKG.match(line):
            causes.update(_of_script(lines, number), {number}, {number + 1} & {*range(len(lines))})
        elif _WHY.match(line):
            causes.add(number)
    ranked = sorted(
        causes, key=lambda number: (not _PLAIN_FAULT.search(lines[number]), lines[number].startswith("W: "))
    )
    return sorted(ranked[:_STRONGEST])


def _of_script(lines: Sequence[str], number: int) -> set[int]:
    """The last lines of the maintainer script that dpkg's message at `number` is about; none if dpkg's message is about itself."""
    if not any("script subprocess" in line for line in lines[number : number + 2]):
        return set()
    first = number
    while first > 0 and number - first < _BEFORE and not _STEP.match(lines[first - 1]):
        first -= 1
    return set(range(first, number))


def _cut(line: str) -> str:
    """`line`, shortened if it is long: the end is cut, or the text around the fault that the line names."""
    if len(line) <= _LONG:
        return line
    fault = _PLAIN_FAULT.search(line)
    end = fault.end() if fault else 0
    if end <= _LONG - 3:
        return f"{line[: _LONG - 3]}..."
    head = line[:60]
    return f"{head}...{line[max(60, end - (_LONG - 66)) : end]}" + ("..." if end < len(line) else "")

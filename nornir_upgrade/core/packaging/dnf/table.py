"""The table of what dnf would do, taken apart: headings, a package a row, what it replaces below it. Pure; `LC_ALL=C`.

Recorded from real runs of dnf 4.14.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Package, PackageName, Transaction, by_name, paired
from nornir_upgrade.core.version import nevra

_HEADER = re.compile(r" ?Package +Arch(itecture)? +Version +Repository( +Size)? *")
_SUMMARY = re.compile(r"Transaction Summary:?")
_RULE = re.compile(r"=+| {2,}Size *")  # the last column's name, where the header was too long for its line
_HEADING = re.compile(
    r"(?P<act>Installing|Upgrading|Updating|Downgrading|Reinstalling|Removing|Erasing|Skipping packages|Changing reason)"
    r"(?: (?:weak )?dependencies| group/module packages| groups?| for dependencies| dependent packages| unused dependencies"
    r"| with (?:conflicts|broken dependencies).*)?: *"
)
_REPLACING = re.compile(r" {2,}replacing +(?P<name>[^\s]+) +(?P<rest>.*\S) *")
_SIZE = re.compile(r"[0-9.]+ ?[kMGTPEKi]*B?")


@dataclass(slots=True)
class _Row:
    """A package's row: `words` are its columns, and `replaced` the rows below it."""

    act: str
    line: int
    words: list[str]
    replaced: list[list[str]]


def parse(text: str, present: Sequence[Package]) -> Transaction:
    """What the table says; no table, no change. Raises `InvalidInput` with line and reason."""
    moves: dict[PackageName, tuple[set[str], set[str]]] = {}
    named = by_name(present)
    for key, version, comes in (move for row in _rows(text) for move in _moves(row, named)):
        moves.setdefault(key, (set(), set()))[comes].add(version)
    changes = [change for key, (gone, new) in moves.items() for change in paired(key, gone, new)]
    return Transaction(tuple(sorted(changes, key=lambda change: (change.name, change.arch, change.old, change.new))))


def _rows(text: str) -> list[_Row]:
    rows: list[_Row] = []
    act = ""
    for number, line in _table(text):
        if heading := _HEADING.fullmatch(line):
            act = heading["act"]
        elif re.match(r" \S", line) and act:
            rows.append(_Row(act, number, line.split(), []))
        elif (replacing := _REPLACING.fullmatch(line)) and rows:
            rows[-1].replaced.append([replacing["name"], *replacing["rest"].split()])
        elif line.startswith("  ") and rows and not rows[-1].replaced:
            rows[-1].words += line.split()  # a row that was too long for its line
        else:
            raise _refusal(number, line)
    return rows


def _table(text: str) -> Iterator[tuple[int, str]]:
    """The lines between the header and the summary that say something. Raises `InvalidInput` where the end is missing."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if inside and _SUMMARY.fullmatch(line):
            return
        if inside and line.strip() and not _RULE.fullmatch(line):
            yield number, line
        inside = inside or bool(_HEADER.fullmatch(line))
    if inside:
        raise InvalidInput(f"simulation, line {len(text.splitlines())}: the table is cut off")


def _moves(row: _Row, present: Mapping[str, Sequence[Package]]) -> Iterator[tuple[PackageName, str, bool]]:
    """Each version of a package that goes (false) or comes (true)."""
    name, arch, version = _columns(row)
    if row.act in ("Skipping packages", "Changing reason"):
        return
    key = PackageName(name, arch)
    gone = [(_place(replaced, key), replaced.evr) for replaced in (_replaced(words, row) for words in row.replaced)]
    yield from ((place, old, False) for place, old in gone)
    if row.act in ("Removing", "Erasing"):
        yield key, version, False
        return
    yield key, version, True
    if not any(place == key for place, _ in gone) and (old := _old(row, name, arch, present)):
        yield key, old, False


def _place(row: nevra.Nevra, key: PackageName) -> PackageName:
    """The package whose place is taken: `key` too where it became independent of the architecture, or ceases to be."""
    same = row.name == key.name and "noarch" in (row.arch, key.arch)
    return key if same else PackageName(row.name, row.arch)


def _columns(row: _Row) -> tuple[str, str, str]:
    """Name, architecture and version of a row, whose other columns are repository and size."""
    if len(row.words) not in (5, 6) or not _SIZE.fullmatch(" ".join(row.words[4:])):
        raise _refusal(row.line, " ".join(row.words))
    parsed = nevra.parse(f"{row.words[0]}-{row.words[2]}.{row.words[1]}")
    return parsed.name, parsed.arch, parsed.evr


def _replaced(words: list[str], row: _Row) -> nevra.Nevra:
    """dnf 4: `name.arch version`; dnf 5: the columns of a row."""
    if len(words) == 2:
        name, _, arch = words[0].rpartition(".")
        return nevra.parse(f"{name}-{words[1]}.{arch}")
    if len(words) in (5, 6):
        return nevra.parse(f"{words[0]}-{words[2]}.{words[1]}")
    raise _refusal(row.line, " ".join(words))


def _old(row: _Row, name: str, arch: str, present: Mapping[str, Sequence[Package]]) -> str:
    """The version that the row's package takes the place of; '' where it is installed beside all that stands."""
    if row.act == "Installing":
        return ""
    alike = present.get(name, ())
    mine = [package.version for package in alike if package.arch == arch] or [package.version for package in alike]
    if not mine:
        raise InvalidInput(f"simulation, line {row.line}: {name} is not installed, so nothing of it can be changed")
    return mine[-1]


def _refusal(number: int, line: str) -> InvalidInput:
    return InvalidInput(f"simulation, line {number}: not understood: {line!r}")

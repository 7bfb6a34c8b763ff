"""`dnf list`, `yum list` and `check-update` as text, with or without `--showduplicates`. Pure and strict.

A row is `name.arch version repository`; a long row takes two or three lines. Output of plugins before and after the rows is noted.
A line directly above a row must be another row or a known heading. A translated heading is refused, because the heading tells
whether the rows are installed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version import evr
from nornir_upgrade.core.version.nevra import ARCHES, make
from rollback.packaging.policy import PolicyPackage, Version, VersionSource, VersionTable
from rollback.packaging.text import Note, Text

HINT = "make the file anew: LC_ALL=C dnf list --showduplicates PACKAGE..."

_INSTALLED = ("installed packages", "extra packages", "installed obsoletes")
# Of a heading that is no word on installation the rows tell themselves: `@repository` is where an installed one came from.
_OFFERED = (
    "available packages",
    "available upgrades",
    "updated packages",
    "upgraded packages",
    "recently added packages",
    "obsoleting packages",
)
_FIRST = re.compile(r"(?P<name>\S+)\.(?P<arch>[A-Za-z0-9_]+)")
_FAILED = re.compile(r"(?i)error:|no matching packages")


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    version: str
    source: VersionSource


def parse(text: Text) -> VersionTable:
    """The versions that `text` lists, by package, in its order. Installed ones have a source of kind `status`.

    dnf has no priorities and names no candidate here: both are None. Raises `InvalidInput` with line and reason.
    """
    reader = _Reader(text)
    for number, line in text.lines():
        reader.read(number, line)
    return VersionTable("rpm", tuple(_packages(reader.end())), (*reader.notes, *text.notes()))


def tells(line: str) -> bool:
    """Whether dnf or yum must have written `line`: a known heading, or a row."""
    return line.strip().lower() in (*_INSTALLED, *_OFFERED) or _begins(line.split())


@dataclass(slots=True)
class _Reader:
    text: Text
    rows: list[_Row] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    section: str | None = None
    odd: tuple[int, str] | None = None  # the line above, where it is neither row nor heading nor empty
    begun: tuple[int, list[str]] | None = None  # a row that goes on in the next line

    def read(self, number: int, line: str) -> None:
        words = line.split()
        if self.begun:
            first, before = self.begun
            if not line.startswith(" ") or len(before) + len(words) > 3:
                raise self.text.fail(first, f"the row is cut off: {' '.join(before)!r}", HINT)
            self.begun = (first, before + words)
        elif line.strip().lower() in (*_INSTALLED, *_OFFERED):
            self.section, self.odd = line.strip().lower(), None
            return
        elif _begins(words):
            self.begun = (number, words)
        else:
            self._aside(number, line)
            return
        if len(self.begun[1]) == 3:
            self._row(*self.begun)
            self.begun = None

    def _aside(self, number: int, line: str) -> None:
        self.odd = (number, line) if line else None
        if line and _FAILED.match(line):
            raise self.text.fail(number, f"the command failed: {line.strip()}", HINT)
        if line:
            self.notes.append(Note(number, line.strip()))

    def _row(self, number: int, words: list[str]) -> None:
        if self.odd:
            raise self.text.fail(self.odd[0], f"no heading that is known: {self.odd[1].strip()!r}", HINT)
        name, arch = words[0].rsplit(".", 1)
        installed = self.section in _INSTALLED or words[2].startswith("@") or words[2] == "installed"
        try:
            version = _nevra(name, words[1], arch)
        except InvalidInput as refusal:
            raise self.text.fail(number, refusal.message, HINT) from None
        kind = VersionSource(None, None, words[2], arch, "status" if installed else "archive", " ".join(words))
        self.rows.append(_Row(name, version, kind))

    def end(self) -> list[_Row]:
        """Every row. Refuses a file that stops within one, or holds neither row nor heading."""
        if self.begun:
            raise self.text.fail(self.begun[0], f"the row is cut off: {' '.join(self.begun[1])!r}", HINT)
        if not self.rows and self.section is None:
            raise self.text.fail(1, "neither a list of packages nor an empty one", HINT)
        return self.rows


def _begins(words: list[str]) -> bool:
    """Whether a line is a row, or the beginning of a row: only rows begin with name and architecture."""
    match = _FIRST.fullmatch(words[0]) if words else None
    return bool(match and match["arch"] in ARCHES and len(words) <= 3)


def _nevra(name: str, version: str, arch: str) -> str:
    parts = evr.parse(version, "rpm")
    if not parts.revision:
        raise InvalidInput(f"{version!r} has no release")
    return make(name, parts.epoch, parts.upstream, parts.revision, arch).evr


def _packages(rows: Iterable[_Row]) -> Iterable[PolicyPackage]:
    """One package for each name; its sources have the architectures. The newest installed version counts."""
    by_name: dict[str, dict[str, list[VersionSource]]] = {}
    for row in rows:
        by_name.setdefault(row.name, {}).setdefault(row.version, []).append(row.source)
    for name, versions in by_name.items():
        listed = tuple(
            Version(version, None, any(source.kind == "status" for source in sources), tuple(sources))
            for version, sources in versions.items()
        )
        installed = [version.version for version in listed if version.installed]
        newest = max(installed, key=lambda version: evr.key(evr.parse(version, "rpm")), default=None)
        yield PolicyPackage(name, newest, None, listed)

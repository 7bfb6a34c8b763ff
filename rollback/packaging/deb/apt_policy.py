"""`apt-cache policy` as text: the available versions, their sources, and the installed one. Pure and strict.

The parser reads apt's own layout since 0.5 (apt-cache(8)), with the priorities 0 of apt before 1.1. It also reads that layout without
indentation, or with source lines wrapped after the address, as mails and books show it. A block must be whole: its table has the
installed version and the candidate, and every version names a source.
"""

import re
from dataclasses import dataclass, field

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.apt import policy_source
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version
from rollback.packaging.policy import PolicyPackage, Version, VersionSource, VersionTable
from rollback.packaging.text import Note, Text

HINT = "make the file anew: LC_ALL=C apt-cache policy PACKAGE..."

_NONE = "(none)"
_HEADER = re.compile(r"(?P<name>[^\s:]+)(?::(?P<arch>[^\s:]+))?:")
_LABEL = re.compile(r"\s*(?P<label>Installed|Candidate|Package pin): (?P<value>\S+)")
_TABLE = re.compile(r"\s*Version table:")
_VERSION = re.compile(
    r"\s*(?P<mark>\*\*\* )?(?P<version>\S+) (?P<priority>-?[0-9]{1,5})(?: \(phased (?P<phased>[0-9]{1,3})%\))?",
    re.ASCII,
)
_SOURCE = re.compile(r"\s*(?P<priority>-?[0-9]{1,5}) (?P<raw>(?:/|[a-z][a-z0-9+.-]*:).*)", re.ASCII)
_SAYS = re.compile(r"(?P<level>[WNE]|WARNING): ?(?P<text>.*)")


def parse(text: Text) -> VersionTable:
    """The policy that `text` shows. Raises `InvalidInput` with line and reason if it is not a policy, or is cut off."""
    reader = _Reader(text)
    for number, line in text.lines():
        reader.read(number, line)
    return VersionTable("deb", reader.end(), (*reader.notes, *text.notes()))


def source(priority: int | None, raw: str) -> VersionSource | None:
    """The source that `raw` describes; None where it stops after the address. Raises `InvalidInput` for anything else."""
    if raw.endswith("/status") and raw.startswith("/"):
        return VersionSource(priority, None, None, None, "status", raw)
    index = policy_source(raw)
    if index is None:
        return None
    return VersionSource(priority, index.uri, index.suite or None, index.arch or None, "archive", raw)


@dataclass(slots=True)
class _Block:
    """One package while it is read."""

    line: int
    package: str
    labels: dict[str, str] = field(default_factory=dict)
    table: bool = False
    versions: list[tuple[int, Version]] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    """Reads line by line. Indentation is ignored; the form and the place of a line count."""

    text: Text
    notes: list[Note] = field(default_factory=list)
    done: list[PolicyPackage] = field(default_factory=list)
    block: _Block | None = None
    wrapped: tuple[int, int, str] | None = None  # line, priority and address of a source that goes on in the next line

    def read(self, number: int, line: str) -> None:
        try:
            self._read(number, line)
        except InvalidInput as refusal:
            if refusal.message.startswith(self.text.source):
                raise
            raise self.text.fail(number, refusal.message, HINT) from None

    def _read(self, number: int, line: str) -> None:
        if self.wrapped:
            return self._goes_on(number, line)
        if not line:
            return None
        if says := _SAYS.fullmatch(line):
            return self._said(number, says["level"], line)
        if match := _HEADER.fullmatch(line):
            return self._begin(number, match["name"], match["arch"])
        if self.block is None:
            raise self._refuse(number, line)
        if match := _LABEL.fullmatch(line):
            return self._label(number, match["label"], match["value"])
        if _TABLE.fullmatch(line) and {"Installed", "Candidate"} <= self.block.labels.keys() and not self.block.table:
            self.block.table = True
            return None
        if self.block.table and (match := _VERSION.fullmatch(line)):
            return self._version(number, match)
        if self.block.versions and (match := _SOURCE.fullmatch(line)):
            return self._source(number, int(match["priority"]), match["raw"])
        raise self._refuse(number, line)

    def _refuse(self, number: int, line: str) -> InvalidInput:
        if line == "Package files:":
            return self.text.fail(number, "this is the list of all sources, not the policy of packages", HINT)
        return self.text.fail(number, f"not understood: {line.strip()!r}", HINT)

    def _said(self, number: int, level: str, line: str) -> None:
        if level == "E":
            raise self.text.fail(number, f"apt failed: {line}", HINT)
        self.notes.append(Note(number, line))

    def _begin(self, number: int, name: str, arch: str | None) -> None:
        self._finish(number)
        check_name(name, qualified=True)
        self.block = _Block(number, f"{name}:{check_arch(arch)}" if arch else name)

    def _label(self, number: int, label: str, value: str) -> None:
        assert self.block is not None
        if label in self.block.labels or self.block.table:
            raise self.text.fail(number, f"{label} stands a second time, or in the wrong place", HINT)
        self.block.labels[label] = value if value == _NONE else check_version(value)

    def _version(self, number: int, match: re.Match[str]) -> None:
        assert self.block is not None
        phased = int(match["phased"]) if match["phased"] else None
        version = check_version(match["version"])
        row = Version(version, int(match["priority"]), bool(match["mark"]), (), phased)
        self.block.versions.append((number, row))

    def _source(self, number: int, priority: int, raw: str) -> None:
        origin = source(priority, raw)
        if origin is None:
            self.wrapped = (number, priority, raw)
            return
        assert self.block is not None
        line, version = self.block.versions[-1]
        more = (*version.sources, origin)
        self.block.versions[-1] = (
            line,
            Version(version.version, version.priority, version.installed, more, version.phased),
        )

    def _goes_on(self, number: int, line: str) -> None:
        assert self.wrapped is not None
        begun, priority, raw = self.wrapped
        self.wrapped = None
        if not line.strip() or source(priority, f"{raw} {line.strip()}") is None:
            raise self.text.fail(begun, f"the source is cut off: {raw!r}", HINT)
        self._source(number, priority, f"{raw} {line.strip()}")

    def _finish(self, number: int) -> None:
        """The block under way is whole: refuses one that is not, at its last line."""
        if self.wrapped:
            raise self.text.fail(self.wrapped[0], f"the source is cut off: {self.wrapped[2]!r}", HINT)
        if self.block is None:
            return
        block, last = self.block, number - 1
        if not block.table:
            raise self.text.fail(last, f"the block of {block.package} is cut off before its version table", HINT)
        for line, version in block.versions:
            if not version.sources:
                raise self.text.fail(line, f"version {version.version} of {block.package} names no source", HINT)
        versions = tuple(version for _, version in block.versions)
        self._agree(block, versions, last)
        installed, candidate = (_known(block.labels[label]) for label in ("Installed", "Candidate"))
        self.done.append(PolicyPackage(block.package, installed, candidate, versions))
        self.block = None

    def _agree(self, block: _Block, versions: tuple[Version, ...], last: int) -> None:
        marked = [version.version for version in versions if version.installed]
        if marked != [version for version in (_known(block.labels["Installed"]),) if version]:
            reason = f"Installed: {block.labels['Installed']}, but *** stands at {', '.join(marked) or 'no version'}"
            raise self.text.fail(last, f"the block of {block.package} contradicts itself or is cut off: {reason}", HINT)
        candidate = _known(block.labels["Candidate"])
        if candidate and candidate not in {version.version for version in versions}:
            raise self.text.fail(
                last, f"the block of {block.package} is cut off: its candidate is not in its table", HINT
            )

    def end(self) -> tuple[PolicyPackage, ...]:
        """Every package. Refuses a file without any."""
        self._finish(self.text.content.count("\n") + 1)
        if not self.done:
            raise self.text.fail(1, "no package in it", HINT)
        return tuple(self.done)


def _known(value: str) -> str | None:
    return None if value == _NONE else value

"""The pages of the documentation, as text to be checked: lines with their numbers, sections, and what a section lists."""

import functools
import itertools
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"\s*(?:```|~~~)")
_HEADING = re.compile(r"(#+) (.*)")
_ENTRY = re.compile(r"(?:\| |- )((?:`[^`]+`(?:, )?)+)")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; `verbatim`: within a fenced block."""

    page: str
    number: int
    text: str
    verbatim: bool

    @property
    def row(self) -> bool:
        """Whether it is a row of a table."""
        return not self.verbatim and self.text.lstrip().startswith("|")

    @property
    def cells(self) -> list[str]:
        """The cells of a row."""
        return [cell.strip() for cell in re.split(r"(?<!\\)\|", self.text.strip().strip("|"))]

    @property
    def codes(self) -> list[str]:
        """What stands in backticks; the whole of a verbatim line."""
        return [self.text] if self.verbatim else _CODE.findall(self.text)

    @property
    def listed(self) -> list[str]:
        """What a row or an item of a list begins with, in backticks."""
        match = None if self.verbatim else _ENTRY.match(self.text)
        return _CODE.findall(match[1]) if match else []

    def wrong(self, what: str) -> str:
        """A complaint about the line."""
        return f"{self.page}:{self.number}: {what}"


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown file; `name` is its path below the root."""

    name: str
    text: str

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines. The fences of a block belong to it."""
        return _lines(self)

    @property
    def headings(self) -> list[tuple[int, str]]:
        """The depth and the text of each heading."""
        found = (_HEADING.fullmatch(line.text) for line in self.lines if not line.verbatim)
        return [(len(match[1]), match[2]) for match in found if match]

    def section(self, title: str) -> list[Line]:
        """The heading `title` with all lines below it, up to the next heading that is not deeper. Empty where there is none."""
        found: list[Line] = []
        depth = 0
        for line in self.lines:
            match = None if line.verbatim else _HEADING.fullmatch(line.text)
            if match and depth and len(match[1]) <= depth:
                break
            if match and match[2] == title:
                depth = len(match[1])
            if depth:
                found.append(line)
        return found


@functools.cache
def _lines(page: Page) -> tuple[Line, ...]:
    found, inside = list[Line](), False
    for number, text in enumerate(page.text.splitlines(), 1):
        fence = bool(_FENCE.match(text))
        found.append(Line(page.name, number, text, inside or fence))
        inside ^= fence
    return tuple(found)


Pages = dict[str, Page]


@functools.cache
def pages() -> Pages:
    """Every Markdown file that git tracks, or would."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in told.splitlines() if (ROOT / name).is_file()]
    return {name: Page(name, (ROOT / name).read_text(encoding="utf-8")) for name in names}


def first_table(section: Iterable[Line]) -> list[Line]:
    """The rows of the first table."""
    rest = itertools.dropwhile(lambda line: not line.row, section)
    return list(itertools.takewhile(lambda line: line.row, rest))


def entries(lines: Iterable[Line]) -> dict[str, Line]:
    """What rows and items list, each with the line that does."""
    return {entry: line for line in lines for entry in line.listed}

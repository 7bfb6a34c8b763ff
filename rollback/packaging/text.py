"""Text: a file from an unreachable machine, and the error for one of its lines. Only `load` does I/O."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput

_LIMIT = 256 * 2**20  # bytes; the longest real listing is a hundredth of it


@dataclass(frozen=True, slots=True)
class Note:
    """A line that was not read, reported to the person. Lines count from 1; 0 is the whole file."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """The text of the file `source`."""

    source: str
    content: str

    def lines(self) -> Iterator[tuple[int, str]]:
        """Each line with its number from 1, without line end and trailing blanks; only line feeds end lines."""
        whole = self.content.removesuffix("\n")
        return ((number, line.rstrip(" \r")) for number, line in enumerate(whole.split("\n"), 1))

    def fail(self, line: int, reason: str, hint: str = "") -> InvalidInput:
        """The error for a line."""
        return InvalidInput(f"{self.source}, line {line}: {reason}", hint=hint)

    def notes(self) -> tuple[Note, ...]:
        """Notes on the file as a whole: a file whose last line has no end may be cut off."""
        if self.content.endswith("\n"):
            return ()
        return (Note(self.content.count("\n") + 1, "the last line has no end: the file may be cut off here"),)


def load(path: Path) -> Text:
    """The text in `path`, or of standard input where that is `-`. Raises `InvalidInput` unless it is UTF-8 and not empty."""
    source = "standard input" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read(_LIMIT + 1) if str(path) == "-" else _bytes(path)
    except OSError as error:
        raise InvalidInput(f"{source}: {error.strerror}") from None
    if len(data) > _LIMIT:
        raise InvalidInput(f"{source}: longer than {_LIMIT} bytes")
    return decode(data, source)


def decode(data: bytes, source: str) -> Text:
    """`data` as text. Raises `InvalidInput` with the line that is not text, or if `data` is empty."""
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{source}, line {line}: no UTF-8", hint="make the file anew with LC_ALL=C.UTF-8") from None
    if "\0" in content:
        raise InvalidInput(f"{source}, line {content.count(chr(10), 0, content.index(chr(0))) + 1}: this is no text")
    if not content.strip():
        raise InvalidInput(
            f"{source}, line 1: there is nothing in the file",
            hint="did the command that made it fail, or find nothing?",
        )
    return Text(source, content)


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LIMIT + 1)

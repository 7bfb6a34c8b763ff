"""Screen: what a verb says. The result goes to stdout, text or one JSON document; everything else to stderr."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from .options import Flags
from .streams import OutputLost, colourful, put, say
from .text import printable


class Screen:
    """Says things in the form that the flags ask for."""

    def __init__(self, flags: Flags) -> None:
        self.json = flags.json
        self.yes = flags.yes
        self.quiet = flags.quiet
        self.verbose = flags.verbose
        self.colour = colourful() and not flags.no_color

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal that can be painted over."""
        return self.colour and not self.quiet and sys.stderr.isatty()

    def result(self, document: Any, text: str, *, code: int = 0) -> None:
        """Print the verb's result: `document` (what the codec knows) as JSON, or `text`. Once a verb.

        Raises `OutputLost` where that cannot be written; where the verb ends with another `code` than 0 anyway, it is only told.
        """
        if self.json:
            from nornir_upgrade.core import codec

            text = codec.dumps(document, indent=2)
        try:
            put(text, colour=None if self.colour and not self.json else False)
        except OutputLost as lost:
            if not code:
                raise
            self.warn(lost.message)

    def note(self, text: str) -> None:
        """Tell on stderr what is going on, unless asked to be quiet."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Tell on stderr what must be known."""
        say(text, colour=None if self.colour else False)

    def require_consent(self) -> None:
        """Raises `UsageError` where nobody can be asked: better before the work than after it."""
        if not self.yes and not sys.stdin.isatty():
            raise click.UsageError("standard input is no terminal, so that nobody can be asked: say --yes to go ahead")

    def confirm(self, question: str) -> None:
        """Returns when the answer is yes. Raises `Abort` otherwise."""
        if not self.yes and not click.confirm(question, default=False, err=True):
            self.warn("Not confirmed: nothing was changed.")
            raise click.Abort


def columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as text: cells on one line each, aligned, two spaces between columns; numbers to the right."""
    cells = [[printable(str(cell)).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[number]) for row in [head, *cells]) for number in range(len(head))]
    numeric = [all(isinstance(row[number], int) for row in rows) for number in range(len(head))]

    def line(row: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        return "  ".join(placed).rstrip()

    return "\n".join([click.style(line(head), bold=True), *map(line, cells)])

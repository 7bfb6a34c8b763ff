"""Table: rows as aligned columns of text."""

from collections.abc import Sequence

import click

from .text import printable


def columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as text. Each row is one line, columns are two spaces apart, and integers are aligned to the right."""
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

"""Streams: standard input, output and error, each of which may be closed, full, or a pipe without a reader."""

import os
import sys
from contextlib import suppress

import click

from nornir_upgrade.core.errors import InvalidInput

_NAMES = ("stdin", "stdout", "stderr")


class OutputLost(InvalidInput):
    """A result could not be written to standard output."""

    reference = "output-lost"


def replace_closed() -> None:
    """Afterwards all three streams are open: a closed one is connected to /dev/null.

    Otherwise a file opened later would get its number (open(2): the lowest free one), and messages would be written into that file.
    """
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(null, "w" if number else "r", errors="replace", closefd=False))  # noqa: SIM115 (never closed)


def colourful() -> bool:
    """Whether the environment allows colour (https://no-color.org). A pipe never gets colour."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str, *, colour: bool | None = None) -> None:
    """Write `text` to stderr. A failed write is ignored: it must not end any work."""
    with suppress(OSError):
        click.echo(text, err=True, color=colour)


def put(text: str, *, colour: bool | None = None, end: bool = True) -> None:
    """Write `text` to stdout. Raises `OutputLost`, and `BrokenPipeError` if its reader has closed the pipe."""
    try:
        click.echo(text, color=colour, nl=end)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output_lost(error) from None


def put_bytes(data: bytes) -> None:
    """Write exactly `data` to stdout. Raises as `put`."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output_lost(error) from None


def output_lost(error: OSError) -> OutputLost:
    """The failure for the `error` of a write to stdout. Afterwards nothing more is written there."""
    close_stdout()
    return OutputLost(f"standard output: {error.strerror}", hint="the rest of the output is lost")


def close_stdout() -> None:
    """Afterwards nothing is written to stdout any more, not even the buffered rest when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

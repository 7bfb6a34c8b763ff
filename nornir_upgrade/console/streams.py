"""Streams: standard input, output and error as a program finds them, which may be closed, full, or a pipe that nobody reads."""

import os
import sys
from contextlib import suppress

import click

from nornir_upgrade.core.errors import InvalidInput

_NAMES = ("stdin", "stdout", "stderr")


class OutputLost(InvalidInput):
    """What was to be said could not be written to standard output."""

    reference = "output-lost"


def replace_closed() -> None:
    """Afterwards there are all three: one that was closed is empty, or takes what nobody wants.

    No file that is opened later gets its number, into which somebody's last words might then be written (open(2): the lowest).
    """
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(null, "w" if number else "r", errors="replace", closefd=False))  # noqa: SIM115 (never closed)


def colourful() -> bool:
    """Whether colour is wanted at all (https://no-color.org); a pipe gets none in any case."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str, *, colour: bool | None = None) -> None:
    """Tell on stderr. What cannot be told there is no reason for any work to end."""
    with suppress(OSError):
        click.echo(text, err=True, color=colour)


def put(text: str, *, colour: bool | None = None, end: bool = True) -> None:
    """Write to stdout. Raises `OutputLost`, and `BrokenPipeError` where its reader has gone."""
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
    """The failure that `error` of a write to stdout is; afterwards nothing more is written there."""
    close_stdout()
    return OutputLost(f"standard output: {error.strerror}", hint="what was to be said there is lost")


def close_stdout() -> None:
    """Afterwards nothing is written to stdout any more, not even what is still on its way there when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

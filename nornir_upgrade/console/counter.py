"""Tally: how much of long work is done. One live line on a terminal, elsewhere a line now and then; what is quick says nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .output import Screen

if TYPE_CHECKING:  # rich takes long to import
    from rich.status import Status

Clock = Callable[[], float]

_QUICK = 1.0  # seconds
_NOW_AND_THEN = 10.0  # seconds


@contextmanager
def counter(screen: Screen, what: str, *, clock: Clock = time.monotonic) -> Iterator[Callable[[object, object], None]]:
    """Within the block, what is called with how much is done, and of how much, tells it; `what` says done what.

    The clock runs from the first call on: what comes before that is another's work.
    """
    teller = _Line(what, clock) if screen.live else _Lines(what, clock, screen)
    try:
        yield teller
    finally:
        teller.end()


class _Lines:
    """A line when it has taken a while, and another after each while more."""

    def __init__(self, what: str, clock: Clock, screen: Screen) -> None:
        self._what, self._clock, self._screen = what, clock, screen
        self._due = 0.0

    def __call__(self, done: object, of: object) -> None:
        self._due = self._due or self._clock() + _NOW_AND_THEN
        if self._clock() >= self._due:
            self._due = self._clock() + _NOW_AND_THEN
            self._screen.note(f"{self._what}: {done} of {of}")

    def end(self) -> None:
        """Nothing: lines stay."""


class _Line:
    """One line, which goes when all is done."""

    def __init__(self, what: str, clock: Clock) -> None:
        self._what, self._clock = what, clock
        self._due = 0.0
        self._status: Status | None = None

    def __call__(self, done: object, of: object) -> None:
        text = f"{self._what}: {done} of {of}"
        self._due = self._due or self._clock() + _QUICK
        if self._status is not None:
            self._status.update(text)
        elif self._clock() >= self._due:
            self._status = _begun(text)

    def end(self) -> None:
        """Afterwards the terminal is as it was found; one that has gone is no reason to fail."""
        if self._status is not None:
            with suppress(Exception):
                self._status.stop()


def _begun(text: str) -> "Status":
    from rich.console import Console

    status = Console(stderr=True, highlight=False, markup=False).status(text)
    status.start()
    return status

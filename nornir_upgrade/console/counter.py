"""Counter: the progress of long work, as one live line on a terminal and elsewhere as a line every ten seconds.

Quick work shows nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .output import Screen

if TYPE_CHECKING:  # rich takes long to import
    from rich.status import Status

Clock = Callable[[], float]

_DELAY = 1.0  # seconds
_INTERVAL = 10.0  # seconds


@contextmanager
def counter(screen: Screen, what: str, *, clock: Clock = time.monotonic) -> Iterator[Callable[[object, object], None]]:
    """Within the block, a function that shows the part done and the whole, its arguments. `what` names the work.

    The clock starts at the first call: the time before belongs to other work.
    """
    line = _Line(what, clock) if screen.live else _Lines(what, clock, screen)
    try:
        yield line
    finally:
        line.end()


class _Lines:
    """A line after each interval."""

    def __init__(self, what: str, clock: Clock, screen: Screen) -> None:
        self._what, self._clock, self._screen = what, clock, screen
        self._due = 0.0

    def __call__(self, done: object, of: object) -> None:
        self._due = self._due or self._clock() + _INTERVAL
        if self._clock() >= self._due:
            self._due = self._clock() + _INTERVAL
            self._screen.note(f"{self._what}: {done} of {of}")

    def end(self) -> None:
        """Do nothing: lines stay."""


class _Line:
    """One live line, which is removed at the end."""

    def __init__(self, what: str, clock: Clock) -> None:
        self._what, self._clock = what, clock
        self._due = 0.0
        self._status: Status | None = None

    def __call__(self, done: object, of: object) -> None:
        text = f"{self._what}: {done} of {of}"
        self._due = self._due or self._clock() + _DELAY
        if self._status is not None:
            self._status.update(text)
        elif self._clock() >= self._due:
            self._status = _started(text)

    def end(self) -> None:
        """Afterwards the terminal is as before. A closed terminal is no error."""
        if self._status is not None:
            with suppress(Exception):
                self._status.stop()


def _started(text: str) -> "Status":
    from rich.console import Console

    status = Console(stderr=True, highlight=False, markup=False).status(text)
    status.start()
    return status

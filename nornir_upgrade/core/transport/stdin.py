"""Writes a command's standard input while its output is being read, so that neither side waits for the other."""

import threading
from collections.abc import Callable
from typing import BinaryIO, Protocol

from nornir_upgrade.core.store import CHUNK


class Inlet(Protocol):
    """The near end of a command's standard input."""

    def sendall(self, data: bytes) -> None:
        """Send all of it, however long that takes. Raises where the other end is gone."""

    def shutdown_write(self) -> None:
        """Nothing more comes."""

    def close(self) -> None:
        """Give the whole command up."""


class Feeder:
    """`before` and then all of `source` go into `inlet`. A command that ends early is fed no further: its status tells.

    Where `source` cannot be read on, the command is given up rather than made to believe that this was all.
    """

    def __init__(self, inlet: Inlet, before: bytes, source: BinaryIO | None) -> None:
        self._inlet, self._before, self._source = inlet, before, source
        self._error: Exception | None = None

    def start(self) -> None:
        """Begin, in a thread of its own where there is anything to write."""
        if self._before or self._source:
            threading.Thread(target=self._feed, daemon=True).start()
        else:
            self._attempt(self._inlet.shutdown_write)

    def check(self) -> None:
        """Raises what reading the source raised."""
        if self._error:
            raise self._error

    def _feed(self) -> None:
        open_still = self._attempt(lambda: self._inlet.sendall(self._before))
        while open_still and (piece := self._read()):
            open_still = self._send(piece)
        self._attempt(self._inlet.close if self._error else self._inlet.shutdown_write)

    def _send(self, piece: bytes) -> bool:
        return self._attempt(lambda: self._inlet.sendall(piece))

    def _read(self) -> bytes:
        try:
            return self._source.read(CHUNK) if self._source else b""
        except Exception as error:
            self._error = error
            return b""

    def _attempt(self, act: Callable[[], None]) -> bool:
        """Whether the other end still listens. Why it does not is found out by who reads the command's output."""
        try:
            act()
        except Exception:
            return False
        return True

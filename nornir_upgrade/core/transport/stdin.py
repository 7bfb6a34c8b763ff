"""Standard input of a command, written while its output is being read: so neither side waits for the other."""

import threading
from collections.abc import Callable
from typing import BinaryIO, Protocol

from nornir_upgrade.core.store import CHUNK


class Inlet(Protocol):
    """Our end of a command's standard input."""

    def sendall(self, data: bytes) -> None:
        """Sends all of `data`, however long that takes. Raises if the other end is closed."""

    def shutdown_write(self) -> None:
        """Ends standard input."""

    def close(self) -> None:
        """Abandons the command."""


class Feeder:
    """Writes `before`, then all of `source`, into `inlet`. Stops if the command ends early; its status shows why.

    If `source` cannot be read, the command is abandoned: an early end of its input would look complete.
    """

    def __init__(self, inlet: Inlet, before: bytes, source: BinaryIO | None) -> None:
        self._inlet, self._before, self._source = inlet, before, source
        self._error: Exception | None = None

    def start(self) -> None:
        """Starts writing, in a thread of its own if there is anything to write."""
        if self._before or self._source:
            threading.Thread(target=self._feed, daemon=True).start()
        else:
            self._attempt(self._inlet.shutdown_write)

    def check(self) -> None:
        """Raises the error that reading the source raised, if any."""
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
        """Returns whether `act` succeeded: the other end is open. The reader of the command's output reports why it is not."""
        try:
            act()
        except Exception:
            return False
        return True

"""Dial: a TCP connection that is started early. The kernel makes it while this program still imports modules."""

import errno
import select
import socket
from contextlib import suppress


class Dial:
    """A started connection to an address and a port. For a hostname nothing is started: resolving it could take long."""

    def __init__(self, host: str, port: int) -> None:
        self._socket: socket.socket | None = None
        with suppress(OSError):
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            if self._socket.connect_ex(address) not in (0, errno.EINPROGRESS):
                self.close()

    def take(self, seconds: float) -> socket.socket | None:
        """Hands the connection to the caller. `None` if there is none, or if it was refused or taken before.

        Raises `TimeoutError` if the host does not answer within `seconds`.
        """
        started, self._socket = self._socket, None
        if started is None:
            return None
        poller = select.poll()
        poller.register(started, select.POLLOUT)
        if not poller.poll(seconds * 1000):
            started.close()
            raise TimeoutError("timed out")
        if started.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            started.close()
            return None
        started.setblocking(True)
        return started

    def close(self) -> None:
        """Closes the connection, unless it was taken."""
        if self._socket:
            self._socket.close()
        self._socket = None

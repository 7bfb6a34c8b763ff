"""A TCP connection that is begun before anybody can use it: made by the kernel while this program still gets ready."""

import errno
import select
import socket
from contextlib import suppress


class Dial:
    """A connection to an address and a port, begun and not waited for. A host given by name is not: to look it up could take long."""

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
        """The connection, which is then the caller's; `None` where there is none, or it was refused or taken before.

        Raises `TimeoutError` where nobody answered within `seconds`.
        """
        begun, self._socket = self._socket, None
        if begun is None:
            return None
        poller = select.poll()
        poller.register(begun, select.POLLOUT)
        if not poller.poll(seconds * 1000):
            begun.close()
            raise TimeoutError("timed out")
        if begun.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            begun.close()
            return None
        begun.setblocking(True)
        return begun

    def close(self) -> None:
        """Afterwards there is no connection, unless somebody took it."""
        if self._socket:
            self._socket.close()
        self._socket = None

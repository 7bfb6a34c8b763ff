"""The lab's web server: the repositories of the lab, and Debian's own archive."""

import functools
import http.server
import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from .errors import LabError
from .mirror import NAMES, Mirror, NotThere


def serve(address: tuple[str, int], directory: Path, mirror: Mirror) -> http.server.ThreadingHTTPServer:
    """Afterwards the files below `directory` are had at `address`, and the archive below the names that `mirror` knows."""
    handler = functools.partial(_Files, mirror, directory=str(directory))
    server = _Server(address, handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextmanager
def proxy(directory: Path, mirror: Mirror) -> Iterator[str]:
    """The URL of a proxy (http_proxy of apt) on this machine, which answers for every host as `serve` would."""
    server = serve(("127.0.0.1", 0), directory, mirror)
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of who hung up: a host that was killed, an apt that had enough."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two packets: the second would wait 40 ms, tcp(7)

    def __init__(self, mirror: Mirror, *arguments: Any, **more: Any) -> None:
        self._mirror = mirror
        self._found: Path | None = None
        super().__init__(*arguments, **more)

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        self.path = urlsplit(self.path).path  # a proxy is asked for a whole URL
        path = unquote(self.path).removeprefix("/")
        self._found = None
        if path.partition("/")[0] in NAMES:
            try:
                self._found = self._mirror.file(path)
            except NotThere as error:
                self.send_error(404, "Not Found", error.message)
                return None
            except LabError as error:
                self.log_error("%s", error.message)
                self.send_error(502, "Bad Gateway", error.message)
                return None
        return super().send_head()

    def translate_path(self, path: str) -> str:
        return str(self._found) if self._found else super().translate_path(path)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: a lab's log is for what goes wrong."""

    def log_error(self, format: str, *args: Any) -> None:
        """Tells what went wrong with the archive. That a file is not there is for whoever asked."""
        if format == "%s":
            self.log_message(format, *args)

"""The control channel between a lab and its supervisor: one JSON request, one JSON answer, over a socket of mode 0600."""

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nornir_upgrade.core.errors import TimedOut

from .errors import LabError

Message = Mapping[str, Any]

LARGEST = 1 << 16
"""Bytes of the longest request or answer; the socket keeps the bounds of each (SOCK_SEQPACKET, unix(7))."""


def listen(directory: Path) -> socket.socket:
    """A socket that takes requests for the lab in `directory`; nobody but its owner can reach it."""
    (directory / "control").unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o177)
    try:
        with _short(directory) as path:
            server.bind(path)
    finally:
        os.umask(before)
    server.listen(64)
    server.setblocking(False)
    return server


def ask(directory: Path, request: Message, *, descriptors: Sequence[int] = (), timeout: float = 60.0) -> Message:
    """The supervisor's answer; `descriptors` travel with the request. `timeout` is in seconds.

    Raises OSError when no supervisor listens, LabError with its reason when it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(timeout)
        with _short(directory) as path:
            client.connect(path)
        socket.send_fds(client, [encode(request)], descriptors)
        try:
            reply = client.recv(LARGEST)
        except TimeoutError:
            raise TimedOut(f"the lab's supervisor did not answer {request['command']!r} in {timeout:g} s") from None
        except ConnectionResetError:  # it was killed before it read the request
            reply = b""
    if not reply:
        raise LabError(f"the lab's supervisor ended during {request['command']!r}", hint="nornir-upgrade lab up")
    answer = decode(reply)
    if "error" in answer:
        raise LabError(answer["error"])
    return answer


def encode(message: Message) -> bytes:
    """A message as it travels."""
    return json.dumps(message).encode()


def decode(data: bytes) -> Message:
    """A message as it was."""
    message: Message = json.loads(data)
    return message


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    # A socket's path has room for 108 bytes (unix(7)), a lab directory may be longer.
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/control"
    finally:
        os.close(descriptor)

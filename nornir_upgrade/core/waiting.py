"""Waiting: code that waits for a lock or a host announces it at once, and again every 30 s. Progress displays listen.

Imports no module of ours, so that every room may announce. Listeners are called in the waiting thread, and must be quick.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

AGAIN = 30.0  # seconds after which the same wait is announced again

Listener = Callable[[str, str], None]
"""Called with the host, and what is waited for."""

_lock = threading.Lock()
_listeners: list[Listener] = []
_said: dict[tuple[str, str], float] = {}


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within the block, `listener` is called for every wait."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
            _said.clear()


def say(host: str, what: str) -> None:
    """Calls the listeners: `host` waits for `what`. Does nothing if the same wait was announced less than 30 s ago."""
    with _lock:
        now = time.monotonic()
        if now - _said.get((host, what), -AGAIN) < AGAIN:
            return
        _said[host, what] = now
        listeners = tuple(_listeners)
    for listener in listeners:
        with suppress(Exception):  # a display that fails must not end the work
            listener(host, what)

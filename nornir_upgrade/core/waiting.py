"""Waiting: whoever waits for a lock or for a host on a host says so at once, and again now and then; who shows it listens.

Imports nothing: every floor may say that it waits. Listeners are called in the thread of whoever waits, and must be quick.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

AGAIN = 30.0  # seconds after which the same is said again

Listener = Callable[[str, str], None]
"""Is told the host, and what it waits for."""

_lock = threading.Lock()
_listeners: list[Listener] = []
_said: dict[tuple[str, str], float] = {}


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within the block `listener` is told of all that waits."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
            _said.clear()


def say(host: str, what: str) -> None:
    """Afterwards it has been said that `host` waits for `what`, if nobody said so just now."""
    with _lock:
        now = time.monotonic()
        if now - _said.get((host, what), -AGAIN) < AGAIN:
            return
        _said[host, what] = now
        listeners = tuple(_listeners)
    for listener in listeners:
        with suppress(Exception):  # who only tells ends nobody's work
            listener(host, what)

"""Signals: the first Ctrl-C lets running steps finish, the second stops at once. SIGTERM and SIGHUP do the same."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Heard:
    """The first signal; `number` is 0 before it."""

    number: int = 0

    @property
    def exit_code(self) -> int:
        """The exit code of a program that it stopped: 130 for Ctrl-C, 143 for the others."""
        return exit_code(self.number)


def exit_code(number: int) -> int:
    """130 for SIGINT, 143 for SIGTERM. SIGHUP counts as SIGTERM: both ask the program to end."""
    return 130 if number == signal.SIGINT else 143


@contextmanager
def on_signals(first: Callable[[], None], second: Callable[[int], None]) -> Iterator[Heard]:
    """Within the block, the first signal calls `first`, and the next one calls `second` with the exit code.

    Both are called in a separate thread: a Python handler is late while the main thread waits for a lock, and may run while it
    holds one. Ignored signals (as under nohup) stay ignored. Outside the main thread no handler can be set, and no signal is seen.
    """
    heard = Heard()
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    listener = threading.Thread(target=_listen, args=(reader, heard, first, second), name="signals", daemon=True)
    listener.start()
    wakeup = signal.set_wakeup_fd(
        writer, warn_on_full_buffer=False
    )  # written to at once, whatever the main thread does
    previous = _install(lambda _number, _frame: None)
    try:
        yield heard
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.write(writer, b"\0")
        listener.join()
        os.close(writer)
        os.close(reader)


def _listen(reader: int, heard: Heard, first: Callable[[], None], second: Callable[[int], None]) -> None:
    """Each byte is the number of a signal (signal.set_wakeup_fd); 0 ends the thread."""
    while number := os.read(reader, 1)[0]:
        if number in SIGNALS and not heard.number:
            heard.number = number
            first()
        elif number in SIGNALS:
            second(exit_code(number))


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP raise `SystemExit` with exit code 143."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(exit_code(number))

    previous = _install(leave, signal.SIGTERM, signal.SIGHUP)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _install(handler: Callable[[int, FrameType | None], None], *numbers: int) -> dict[int, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {
        number: signal.signal(number, handler)
        for number in numbers or SIGNALS
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }

"""Feeding a command: all of it, or a command that is given up."""

import io
import threading

import pytest

from nornir_upgrade.core.transport.stdin import Feeder


class Inlet:
    """Takes what it is fed, up to `room` bytes."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room, self.taken, self.end = room, b"", ""
        self.over = threading.Event()

    def sendall(self, data: bytes) -> None:
        self.taken += data
        if len(self.taken) > self.room:
            raise OSError("closed")

    def shutdown_write(self) -> None:
        self._finish("whole")

    def close(self) -> None:
        self._finish("given up")

    def _finish(self, end: str) -> None:
        self.end = end
        self.over.set()


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("the disk is broken")


def feed(inlet: Inlet, before: bytes, source: io.BytesIO | None) -> Feeder:
    feeder = Feeder(inlet, before, source)
    feeder.start()
    assert inlet.over.wait(5)
    return feeder


@pytest.mark.parametrize(("before", "data"), [(b"", None), (b"", b""), (b"one", None), (b"one", b"two" * 999_999)])
def test_all_of_it_arrives_and_then_its_end(before: bytes, data: bytes | None) -> None:
    inlet = Inlet()
    feed(inlet, before, None if data is None else io.BytesIO(data)).check()
    assert (inlet.taken, inlet.end) == (before + (data or b""), "whole")


def test_a_source_that_breaks_is_no_end() -> None:
    inlet = Inlet()
    feeder = feed(inlet, b"one", Broken())
    assert inlet.end == "given up"
    with pytest.raises(OSError, match="the disk is broken"):
        feeder.check()


def test_a_command_that_wants_no_more_is_fed_no_more() -> None:
    inlet, source = Inlet(room=10), io.BytesIO(b"x" * 50_000_000)
    feed(inlet, b"", source).check()
    assert source.tell() < 50_000_000

"""Connections that are begun early, against sockets on loopback."""

import socket
from collections.abc import Iterator

import pytest

from nornir_upgrade.core.transport.dial import Dial


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_what_was_begun_is_a_connection_that_is_taken_once(server: socket.socket) -> None:
    dial = Dial(*server.getsockname())
    taken = dial.take(5)
    assert taken and taken.getblocking() and dial.take(5) is None
    with taken, server.accept()[0] as other:
        other.sendall(b"SSH")
        assert taken.recv(3) == b"SSH"


def test_nobody_waits_for_a_connection_that_was_refused(server: socket.socket) -> None:
    place = server.getsockname()
    server.close()
    assert Dial(*place).take(5) is None


def test_an_address_that_the_kernel_refuses_at_once_is_no_connection() -> None:
    assert Dial("255.255.255.255", 9).take(0) is None  # TCP has no broadcast: nothing is sent


def test_a_host_that_does_not_answer_is_waited_for_as_long_as_said() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        place = full.getsockname()
        with socket.create_connection(place), pytest.raises(TimeoutError):
            Dial(*place).take(0.1)


def test_a_host_that_is_given_by_name_is_not_called_early() -> None:
    assert Dial("localhost", 22).take(0) is None


def test_what_nobody_took_is_closed(server: socket.socket) -> None:
    dial = Dial(*server.getsockname())
    with server.accept()[0] as other:
        dial.close()
        assert other.recv(1) == b""
    assert dial.take(0) is None

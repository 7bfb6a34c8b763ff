"""The way through other hosts: what ssh_config says of it, and the process that goes it."""

import os
import signal

import pytest

from nornir_upgrade.core.transport.proxy import Proxy, scan, way

OPTIONS = ["ssh", "-F", "/c", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15"]


@pytest.mark.parametrize(
    ("found", "argv"),
    [
        ({}, []),
        ({"proxycommand": None, "proxyjump": "none"}, []),
        ({"proxycommand": "exec nc -X 5 'a b' 22"}, ["nc", "-X", "5", "a b", "22"]),
        ({"proxyjump": "j"}, [*OPTIONS, "-W", "h:22", "--", "ssh://j"]),
        ({"proxyjump": "me@j:2222"}, [*OPTIONS, "-W", "h:22", "--", "ssh://me@j:2222"]),
        ({"proxyjump": "a,b,ssh://c"}, [*OPTIONS, "-J", "a,b", "-W", "h:22", "--", "ssh://c"]),
    ],
)
def test_the_way_that_is_configured(found: dict[str, str | None], argv: list[str]) -> None:
    assert way(found, "/c", "h", 22) == argv


@pytest.mark.parametrize(
    ("jump", "argv"),
    [
        ("none", ["ssh-keyscan", "-p", "2222", "10.60.0.13"]),
        ("bastion", ["ssh", "-F", "/c", "--", "ssh://bastion", "ssh-keyscan -p 2222 10.60.0.13"]),
        ("a,me@b", ["ssh", "-F", "/c", "-J", "a", "--", "ssh://me@b", "ssh-keyscan -p 2222 10.60.0.13"]),
    ],
)
def test_keys_are_asked_for_from_where_the_host_is_reached(jump: str, argv: list[str]) -> None:
    assert scan({"proxyjump": jump}, "/c", "10.60.0.13", 2222) == argv


def test_an_address_with_colons_is_put_in_brackets() -> None:
    assert "[2001:db8::1]:22" in way({"proxyjump": "j"}, "/c", "2001:db8::1", 22)


def test_what_is_said_goes_through_and_what_is_complained_is_kept() -> None:
    proxy = Proxy(["sh", "-c", "echo trouble >&2; cat"])
    proxy.socket.sendall(b"hello")
    assert proxy.socket.recv(5) == b"hello"
    assert proxy.said() == "trouble"
    proxy.close()
    assert proxy.socket.fileno() == -1


def test_a_process_that_does_not_want_to_go_is_gone() -> None:
    proxy = Proxy(["sh", "-c", "trap '' TERM; echo on; while :; do sleep 0.2; done"])
    proxy.socket.recv(3)
    proxy.close()
    assert proxy._process.returncode == -signal.SIGKILL
    with pytest.raises(ChildProcessError):
        os.waitpid(proxy._process.pid, 0)

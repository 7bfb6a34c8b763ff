"""`SshHost` on hosts of the lab: what a loopback sshd cannot show. Users who are not root, cut cables, a killed sshd."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nornir_upgrade.core.errors import CommandFailed, ConnectionLost, Unreachable
from nornir_upgrade.core.transport import ssh
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab.lab import Lab
from tests.conftest import connect

pytestmark = pytest.mark.lab

SECRET = "pass word'\"$\\ü"
MAKE_USER = """\
useradd -m asks && cat | chpasswd && echo 'asks ALL=(ALL) ALL' >/etc/sudoers.d/asks
install -d -m 700 -o asks /home/asks/.ssh && install -m 600 -o asks /root/.ssh/authorized_keys /home/asks/.ssh/authorized_keys
"""


@contextmanager
def login(lab: Lab, user: str, secret: str = "") -> Iterator[SshHost]:
    (status,) = (one for one in lab.status() if one.name == "h1")
    extras = {
        "use_keys": True,
        "key_file": str(lab.key),
        "alt_host_keys": True,
        "alt_key_file": str(lab.known_hosts),
        "secret": secret,
    }
    host = SshHost("h1", status.address, username=user, port=status.port, extras=extras)
    yield host
    host.close()


@pytest.fixture
def asked(nodes: Lab) -> Lab:
    """The lab, with a user `asks` on h1 whom sudo asks for the password."""
    host = connect(nodes, "h1")
    host.run(("sh", "-c", MAKE_USER), stdin=f"asks:{SECRET}\n".encode())
    host.close()
    return nodes


def test_a_user_whom_sudo_does_not_ask_is_root(nodes: Lab) -> None:
    for secret in ("", "not wanted"):
        with login(nodes, "ops", secret) as ops:
            assert ops.run(("id", "-u")).text == "0\n"
            assert ops.run(("cat",), stdin=b"\0one\ntwo").stdout == b"\0one\ntwo"
            assert ops.run(("sh", "-c", 'echo "$LC_ALL"')).text == "C\n"


def test_a_user_whom_sudo_asks_is_root_with_the_secret(asked: Lab) -> None:
    with login(asked, "asks", SECRET) as asks:
        assert asks.run(("id", "-u")).text == "0\n"
        assert asks.run(("cat",), stdin=b"\0one\ntwo").stdout == b"\0one\ntwo"
        asks.write("/root/file", b"data", mode="0600")
        assert asks.read("/root/file") == b"data"
        assert asks.job("j", (("id", "-u"),)).text == "0\n"
        seen = asks.run(("sh", "-c", "cat /proc/[0-9]*/cmdline; cat /proc/[0-9]*/environ"), check=False).stdout
        assert SECRET.encode() not in seen
        with pytest.raises(CommandFailed):
            asks.run(("false",))


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_a_user_whom_sudo_refuses_is_told(asked: Lab, secret: str) -> None:
    with login(asked, "asks", secret) as asks, pytest.raises(Unreachable, match=r"asks cannot become root: .*password"):
        asks.run(("true",))


def test_a_cut_cable_is_found_out_and_a_job_followed_on_after_it(nodes: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_SILENCE", 1.0)
    host = connect(nodes, "h1")
    host.run(("true",))
    threading.Timer(0.5, nodes.link, ("h1", False)).start()
    with pytest.raises(ConnectionLost):
        host.run(("sh", "-c", "sleep 120; touch /root/late"))
    nodes.link("h1", True)
    assert host.run(("test", "-e", "/root/late"), check=False).status == 1, "the end of the command was waited for"

    def cut() -> None:
        nodes.link("h1", False)
        time.sleep(3)
        nodes.link("h1", True)

    threading.Timer(0.5, cut).start()
    assert host.job("j", (("sh", "-c", 'printf x >>"$1"', "sh", "/root/log"), ("sleep", "2"))).status == 0
    assert host.read("/root/log") == b"x"
    host.close()


def test_a_killed_sshd_does_not_end_the_job(nodes: Lab) -> None:
    host = connect(nodes, "h1")
    kill = 'sleep 0.5; pkill -KILL sshd; sleep 1; printf x >>"$1"; systemctl start ssh; echo done'
    result = host.job("j", (("sh", "-c", kill, "sh", "/root/log"),))
    assert (result.status, result.text) == (0, "done\n")
    assert host.read("/root/log") == b"x"
    host.close()


def test_a_job_that_a_power_failure_ended_is_run_anew(nodes: Lab) -> None:
    host = connect(nodes, "h1")
    append = ("sh", "-c", 'printf x >>"$1"; sync "$1"', "sh", "/root/log")

    def lose_power_once_it_is_under_way() -> None:
        while nodes.run("h1", ["test", "-s", "/root/log"], check=False).returncode != 0:
            time.sleep(0.1)
        nodes.kill("h1")
        nodes.start("h1")

    threading.Thread(target=lose_power_once_it_is_under_way, daemon=True).start()
    assert host.job("j", (append, ("sleep", "30"))).status == 137
    assert host.job("j", (append,)).status == 0
    assert host.read("/root/log") == b"xx"
    host.close()

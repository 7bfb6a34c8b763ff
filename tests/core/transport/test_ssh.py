"""`SshHost` against a real sshd on loopback."""

import io
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paramiko.common import MSG_IGNORE
from paramiko.ssh_exception import NoValidConnectionsError

from nornir_upgrade.core.errors import ConnectionLost, InvalidInput, TimedOut, Unreachable
from nornir_upgrade.core.transport import login, remote, ssh
from nornir_upgrade.core.transport.ssh import SshHost
from tests.core.local import ME, MINE
from tests.core.sshd import Sshd, running

pytestmark = pytest.mark.lab  # needs root, and sshd, which is installed for the lab


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that no test breaks."""
    with running(tmp_path_factory.mktemp("sshd") / "shared") as sshd:
        yield sshd


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd that the test may break."""
    with running(tmp_path / "own") as sshd:
        yield sshd


def host_of(sshd: Sshd, *, patience: float = 10.0, **extras: Any) -> SshHost:
    host = SshHost("h1", patience=patience, **sshd.options(**extras))
    host.jobs_directory = str(sshd.directory / "jobs")
    return host


@pytest.fixture
def host(shared: Sshd) -> Iterator[SshHost]:
    host = host_of(shared)
    yield host
    host.close()


@pytest.fixture
def fragile(own: Sshd) -> Iterator[SshHost]:
    host = host_of(own)
    yield host
    host.close()


class Clock:
    """The clock of `SshHost`: it moves only while somebody waits, and notes each wait. Seconds."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ssh, "time", clock)
    return clock


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """A file that the command `waits_for(late)` makes after a minute: nobody waited for that while the file is not there."""
    return tmp_path / "late"


def waits_for(late: Path) -> tuple[str, ...]:
    return ("sh", "-c", 'sleep 60; touch "$1"', "sh", str(late))


# ---------------------------------------------------------------------- getting in


def test_one_connection_serves_all_commands(own: Sshd, fragile: SshHost) -> None:
    for number in range(20):
        assert fragile.run(("echo", str(number))).text == f"{number}\n"
    assert own.logins == 1


@pytest.mark.parametrize(
    ("offered", "taken"),
    [("+aes128-gcm@openssh.com", "aes128-gcm@openssh.com"), ("aes256-ctr,aes128-ctr", "aes128-ctr")],
    ids=["sealing", "others"],
)
def test_the_cipher_is_one_that_seals_where_the_host_has_one(tmp_path: Path, offered: str, taken: str) -> None:
    data = os.urandom(6 << 20)
    with running(tmp_path / "own", Ciphers=offered, RekeyLimit="1M") as sshd:  # new keys on the way, sshd_config(5)
        host = host_of(sshd)
        assert host.run(("cat",), stdin=data).stdout == data
        transport = host._connected()
        assert (transport.local_cipher, transport.remote_cipher) == (taken, taken)
        assert sshd.logins == 1
        host.close()


def test_the_first_command_does_not_wait_for_a_delayed_acknowledgement(
    shared: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's announcement after the login is answered at once, and our side never holds a small packet back."""
    events: list[str] = []
    announced = threading.Event()
    read, send = login._Transport._parse_global_request, login._Transport._send_message

    def reading(transport: Any, message: Any) -> None:
        events.append("announcement")
        read(transport, message)
        announced.set()

    def sending(transport: Any, message: Any) -> None:
        events.append("ignored" if message.asbytes()[:1] == bytes([MSG_IGNORE]) else "other")
        send(transport, message)

    monkeypatch.setattr(login._Transport, "_parse_global_request", reading)
    monkeypatch.setattr(login._Transport, "_send_message", sending)
    host = host_of(shared)
    transport = host._connected()
    assert announced.wait(10), events
    assert events[events.index("announcement") + 1] == "ignored"
    assert transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    host.close()


def test_an_unknown_host_key_is_refused_and_told_how_to_add(shared: Sshd, tmp_path: Path) -> None:
    empty = tmp_path / "known"
    empty.write_text("")
    with pytest.raises(Unreachable) as caught:
        host_of(shared, alt_key_file=str(empty)).run(("true",))
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", str(shared.directory / "host_key.pub")], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert f"h1 (127.0.0.1 port {shared.port})" in caught.value.message
    assert fingerprint in caught.value.message and str(empty) in caught.value.message
    assert f"ssh-keyscan -p {shared.port} 127.0.0.1 >> {empty}" in caught.value.hint
    assert empty.read_text() == ""


def test_host_keys_are_checked_without_anybody_asking_for_it(shared: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shared.directory))
    options = shared.options()
    extras = {"use_keys": True, "key_file": str(shared.key)}
    with pytest.raises(Unreachable, match="unknown host key"):
        SshHost("h1", **(options | {"extras": extras})).run(("true",))
    (shared.directory / ".ssh").mkdir()
    (shared.directory / ".ssh" / "known_hosts").write_text(shared.known_hosts.read_text())
    known = SshHost("h1", **(options | {"extras": extras}))
    assert known._connected().is_active()
    known.close()


def test_another_host_key_than_the_known_one_is_refused(shared: Sshd, tmp_path: Path) -> None:
    other = tmp_path / "known"
    other.write_text(f"[127.0.0.1]:{shared.port} {shared.key.with_suffix('.pub').read_text()}")
    with pytest.raises(Unreachable, match="showed another host key"):
        host_of(shared, alt_key_file=str(other)).run(("true",))


def test_a_key_that_does_not_open_is_told(shared: Sshd, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(wrong)], check=True)
    with pytest.raises(Unreachable, match=f"does not let {ME} in"):
        host_of(shared, key_file=str(wrong)).run(("true",))


def test_nothing_to_get_in_with_is_told(shared: Sshd) -> None:
    with pytest.raises(Unreachable, match=f"does not let {ME} in"):
        host_of(shared, use_keys=False, key_file=None).run(("true",))


def test_options_that_cannot_be_are_told(shared: Sshd, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=f"does not exist.*{tmp_path}/none"):
        host_of(shared, key_file=str(tmp_path / "none")).run(("true",))
    with pytest.raises(Unreachable, match="keyfile"):
        host_of(shared, keyfile="x").run(("true",))


def test_an_agent_opens(shared: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        for _ in range(200):
            if subprocess.run(["ssh-add", "-q", str(shared.key)], stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.02)
        host = host_of(shared, use_keys=False, key_file=None, allow_agent=True)
        assert host.run(("echo", "in")).text == "in\n"
        host.close()
    finally:
        agent.kill()
        agent.wait()


def test_nobody_at_the_address(shared: Sshd, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    options = shared.options() | {"port": port}
    with pytest.raises(Unreachable, match=rf"h1 \(127.0.0.1 port {port}\): no answer: Connection refused$"):
        SshHost("h1", **options).run(("true",))
    assert clock.waits == [], "a host that was never there is not waited for"


def test_a_name_that_is_none(shared: Sshd) -> None:
    with pytest.raises(Unreachable, match="no such name"):
        SshHost("h1", **(shared.options() | {"hostname": "no-such-host.invalid"})).run(("true",))


def test_somebody_who_answers_and_speaks_no_ssh(shared: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = shared.options(banner_timeout=0.3) | {"port": server.getsockname()[1]}
        with pytest.raises(Unreachable, match="no answer"):
            SshHost("h1", **options).run(("true",))


def test_ssh_config_gives_host_port_and_user(shared: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host alias\n  HostName 127.0.0.1\n  Port {shared.port}\n  User {ME}\n")
    options = shared.options(ssh_config_file=str(config)) | {"hostname": "alias", "port": None, "username": ""}
    host = SshHost("h1", **options)
    assert host._connected().get_username() == ME
    host.close()


@pytest.mark.parametrize("way", ["ProxyJump jump", "ProxyCommand ssh -F {config} -W %h:%p jump"])
def test_a_jump_host_is_gone_through(shared: Sshd, own: Sshd, tmp_path: Path, way: str) -> None:
    config = jump_config(shared, own, tmp_path, way)
    host = host_of(shared, ssh_config_file=str(config))
    before = own.logins
    assert host.run(("echo", "through")).text == "through\n"
    assert own.logins == before + 1
    proxy = host._login.proxy._process  # type: ignore[union-attr]
    assert os.getsid(proxy.pid) == proxy.pid != os.getsid(0), "a Ctrl-C on our terminal would cut the connection"
    own.drop()
    assert host.run(("echo", "again")).text == "again\n"
    host.close()
    assert proxy.poll() is not None


def test_a_jump_host_with_an_unknown_key_is_refused_in_its_own_words(shared: Sshd, own: Sshd, tmp_path: Path) -> None:
    config = jump_config(shared, own, tmp_path, "ProxyJump jump")
    own.known_hosts.write_text("")
    with pytest.raises(Unreachable, match="Host key verification failed"):
        host_of(shared, ssh_config_file=str(config)).run(("true",))


def jump_config(target: Sshd, jump: Sshd, directory: Path, way: str) -> Path:
    config = directory / "config"
    config.write_text(
        f"Host jump\n  HostName 127.0.0.1\n  Port {jump.port}\n  User {ME}\n  IdentityFile {jump.key}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {jump.known_hosts}\n  StrictHostKeyChecking yes\n"
        f"Match originalhost 127.0.0.1\n  {way.format(config=config)}\n"
    )
    return config


# ---------------------------------------------------------------------- commands


def test_status_and_streams_come_apart(host: SshHost) -> None:
    result = host.run(("sh", "-c", "echo out; echo err >&2; exit 9"), check=False)
    assert (result.status, result.stdout, result.stderr) == (9, b"out\n", b"err\n")


def test_a_command_that_a_signal_ends_has_failed(host: SshHost) -> None:
    assert host.run(("sh", "-c", "kill -TERM $$"), check=False).status > 128


def test_the_environment(host: SshHost) -> None:
    assert host.run(("sh", "-c", 'echo "$LC_ALL $DEBIAN_FRONTEND"')).text == "C noninteractive\n"


def test_both_directions_at_once_hold_more_than_any_window(host: SshHost) -> None:
    data = os.urandom(9_000_000)
    assert host.run(("cat",), stdin=data).stdout == data


def test_both_streams_full_do_not_block_each_other(host: SshHost) -> None:
    result = host.run(("sh", "-c", "head -c 5000000 /dev/zero >&2; head -c 5000000 /dev/zero"))
    assert (len(result.stdout), len(result.stderr)) == (5_000_000, 1 << 20)


def test_a_command_that_does_not_read_its_input_ends(host: SshHost) -> None:
    assert host.run(("sh", "-c", "exec <&-; echo done"), stdin=b"x" * 5_000_000).text == "done\n"


@pytest.mark.parametrize("size", [99_000, 100_500, 600_000])
def test_long_commands_arrive_whole_with_their_input(host: SshHost, size: int) -> None:
    words = ["it's", "\udcff", "a\nb", "$x"] + ["y" * 1000] * (size // 1000)
    result = host.run(("sh", "-c", 'printf "%s\\n" "$@"; cat', "sh", *words), stdin=b"\0input")
    assert result.stdout == "\n".join([*words, "\0input"]).encode("utf-8", "surrogateescape")


def test_a_command_that_takes_too_long_is_given_up_and_the_connection_stays(
    own: Sshd, fragile: SshHost, late: Path
) -> None:
    with pytest.raises(TimedOut):
        fragile.run(waits_for(late), timeout=0.3)
    assert not late.exists()
    assert fragile.run(("echo", "still")).text == "still\n"
    assert own.logins == 1


def test_endless_output_is_given_up(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "OUTPUT", 1 << 20)
    with pytest.raises(InvalidInput, match="wrote more than 1 MiB"):
        host.run(("cat", "/dev/zero"))
    assert host.run(("echo", "on")).text == "on\n"


def test_what_a_command_leaves_behind_does_not_keep_us(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_SILENCE", 0.5)
    left_behind = int(host.run(("sh", "-c", "sleep 60 & echo $!"), timeout=120).text)
    os.kill(left_behind, signal.SIGKILL)  # raises where it has ended


def test_what_the_source_raises_reaches_the_caller_and_nothing_is_put_in_place(host: SshHost, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 2_000_000:
                raise OSError("the disk is broken")
            return super().read(size)

    with pytest.raises(OSError, match="the disk is broken"):
        host._put(Broken(b"x" * 9_000_000), f"{tmp_path}/file", "0600", ME, MINE)
    assert not (tmp_path / "file").exists()
    assert host.run(("echo", "on")).text == "on\n"


def test_what_the_sink_raises_reaches_the_caller(host: SshHost) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        host.download("/bin/sh", Full())


# ---------------------------------------------------------------------- connections that break


def test_a_connection_that_breaks_during_a_command_is_told(own: Sshd, fragile: SshHost, late: Path) -> None:
    fragile.run(("true",))
    threading.Timer(0.4, own.drop).start()
    with pytest.raises(ConnectionLost, match="h1"):
        fragile.run(waits_for(late))
    assert not late.exists()


def test_a_connection_that_broke_in_between_is_made_anew(own: Sshd, fragile: SshHost) -> None:
    fragile.run(("true",))
    own.drop()
    assert fragile.run(("echo", "again")).text == "again\n"
    assert own.logins == 2


def test_a_host_that_was_there_is_waited_for(own: Sshd, fragile: SshHost) -> None:
    fragile.run(("true",))
    own.stop()
    threading.Timer(0.8, own.start).start()
    assert fragile.run(("echo", "back")).text == "back\n"


def test_a_host_that_was_there_is_not_waited_for_for_ever(own: Sshd, fragile: SshHost, clock: Clock) -> None:
    fragile.run(("true",))
    own.stop()
    with pytest.raises(Unreachable):
        fragile.run(("true",))
    assert fragile.patience / 2 < sum(clock.waits) <= fragile.patience


def test_a_job_goes_on_while_the_connection_breaks_and_is_followed_to_its_end(
    own: Sshd, fragile: SshHost, tmp_path: Path
) -> None:
    def break_it() -> None:
        own.stop()
        time.sleep(0.6)
        own.start()

    threading.Timer(0.5, break_it).start()
    append = ("sh", "-c", 'printf x >>"$1"', "sh", str(tmp_path / "log"))
    result = fragile.job("j", (append, ("sleep", "2"), ("echo", "the end")))
    assert (result.status, result.stdout) == (0, b"the end\n")
    assert (tmp_path / "log").read_text() == "x" and own.logins == 2


def test_a_job_that_fails_while_nobody_looks_is_not_run_again(own: Sshd, fragile: SshHost, tmp_path: Path) -> None:
    def break_it() -> None:
        own.stop()
        time.sleep(1.5)
        own.start()

    threading.Timer(0.4, break_it).start()
    append = ("sh", "-c", 'printf x >>"$1"', "sh", str(tmp_path / "log"))
    assert fragile.job("j", (append, ("sleep", "0.8"), ("sh", "-c", "exit 6"))).status == 6
    assert (tmp_path / "log").read_text() == "x"


def test_a_host_that_falls_silent_is_found_out(
    own: Sshd, fragile: SshHost, late: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_SILENCE", 0.5)
    fragile.run(("true",))
    stopped = own._descendants()
    threading.Timer(
        0.3, lambda: [os.kill(pid, 19) for pid in stopped]
    ).start()  # SIGSTOP: as a cut cable, no end is told
    with pytest.raises(ConnectionLost):
        fragile.run(waits_for(late))
    assert not late.exists()


def test_all_addresses_that_refuse_are_told_without_a_number_that_is_none() -> None:
    refused, gone = ConnectionRefusedError(111, "Connection refused"), OSError(113, "No route to host")
    places = {("10.0.0.1", 22): refused, ("10.0.0.2", 22): refused, ("::1", 22): gone}
    assert ssh._in_words(NoValidConnectionsError(places)) == "Connection refused; No route to host"
    assert ssh._in_words(TimeoutError("timed out")) == "timed out"

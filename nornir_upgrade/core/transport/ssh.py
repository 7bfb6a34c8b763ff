"""SSH host: runs commands on exec channels of the SSH client that netmiko logs in."""

import re
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from paramiko import AuthenticationException, BadHostKeyException, Channel, SSHException, Transport
from paramiko.ssh_exception import NoValidConnectionsError

from nornir_upgrade.core import waiting
from nornir_upgrade.core.errors import ConnectionLost, HostKeyRefused, LoginRefused, SudoRefused, TimedOut, Unreachable
from nornir_upgrade.core.store import CHUNK

from .dial import Dial
from .host import quote
from .jobs import PATIENCE
from .login import Login, UnknownKey
from .remote import RemoteHost, Sink, with_environment
from .stdin import Feeder
from .sudo import Sudo, refusal

_SILENCE = 15.0  # seconds without output after which the host is probed; also the time that the probe may take
_STDERR = 1 << 20  # bytes of standard error that are kept
_LONGEST = 100_000  # bytes: Linux limits an argument to 128 KiB (execve(2)), and sshd passes a command to the shell as one argument
_KILLED = 137  # the status a shell reports for SIGKILL; SSH has no exit status for a command that a signal ended

_NUMBER = re.compile(r"^\[Errno (?:None|-?[0-9]+)\] ")

# Standard input begins with the command; its own input follows. head(1) reads no byte more than it is told to.
_LONG = 'eval "exec $(head -c "$1")"'


class _NoAnswer(Unreachable):
    """The host does not answer, or not in SSH. Trying again may help, unlike with a wrong key or password."""


class SshHost(RemoteHost):
    """One host over one SSH connection. The first command connects; a command after a broken connection connects again.

    `extras`: the options that nornir-netmiko passes to netmiko (`key_file`, `allow_agent`, `ssh_config_file`, `secret`, …). Host
    keys are checked unless `ssh_strict` is false. Commands use sudo(8) if the login is not root.
    """

    def __init__(
        self,
        name: str,
        hostname: str,
        *,
        username: str = "",
        password: str | None = None,
        port: int | None = None,
        extras: Mapping[str, Any] | None = None,
        dial: Dial | None = None,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(name, patience)
        strict = {"ssh_strict": True, "system_host_keys": True}
        self._options = {
            "device_type": "linux",
            "host": hostname,
            "username": username,
            "password": password,
            "port": port or 22,
            **strict,
            **(extras or {}),
            "auto_connect": False,
        }
        self._sudo = Sudo(self._options.get("secret") or "")
        self._login: Login | None = None
        self._dial = dial
        self._was_there = False
        self._lock = threading.RLock()

    def close(self) -> None:
        """Closes the connection. The next command makes a new one."""
        with self._lock:
            login, self._login = self._login, None
        if login:
            login.disconnect()

    # ------------------------------------------------------------------ commands

    def exchange(self, argv: Sequence[str], source: BinaryIO | None, sink: Sink, timeout: float) -> tuple[int, bytes]:
        transport, channel = self._channel()
        # Some calls of paramiko wait without a limit. Closing the connection ends all of them.
        watchdog = threading.Timer(timeout + 2 * _SILENCE, transport.close)
        watchdog.daemon = True
        watchdog.start()
        try:
            status, errors = self._talk(transport, channel, argv, source, sink, time.monotonic() + timeout)
        finally:
            channel.close()
            watchdog.cancel()
        if transport.get_username() != "root" and (message := refusal(status, errors)):
            raise SudoRefused(
                f"{self.name}: {transport.get_username()} cannot become root: {message}",
                hint="NOPASSWD in sudoers(5), or the password as `secret` in the extras of the host's netmiko connection",
            )
        return status, errors

    def _talk(
        self,
        transport: Transport,
        channel: Channel,
        argv: Sequence[str],
        source: BinaryIO | None,
        sink: Sink,
        deadline: float,
    ) -> tuple[int, bytes]:
        command, before = self._command(argv, root=transport.get_username() == "root")
        with self._losing():
            channel.exec_command(command)
        feeder = Feeder(channel, before, source)
        feeder.start()
        errors = bytearray()
        for seconds in self._until(deadline):
            ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
            while channel.recv_ready():
                sink(channel.recv(CHUNK))
            while channel.recv_stderr_ready():
                errors += channel.recv_stderr(CHUNK)[: _STDERR - len(errors)]
            if ended:
                break
            if not _something(channel, min(seconds, _SILENCE)):
                if channel.exit_status_ready():
                    break  # the command has ended; a process that it left behind keeps its streams open
                self._probe(transport)
        feeder.check()
        if channel.exit_status < 0:
            self._probe(transport)
            return _KILLED, bytes(errors)
        return channel.exit_status, bytes(errors)

    def _until(self, deadline: float) -> Iterator[float]:
        """Yields the seconds that are left until the deadline. Raises `TimedOut` when there are none."""
        while (left := deadline - time.monotonic()) > 0:
            yield left
        raise TimedOut(f"{self.name}: a command took too long", hint="it may still be running there")

    def _command(self, argv: Sequence[str], *, root: bool) -> tuple[bytes, bytes]:
        """The shell text that sshd runs, and the bytes with which standard input begins."""
        argv = with_environment(argv)
        command, before = quote(argv).encode("utf-8", "surrogateescape"), b""
        if len(command) > _LONGEST:
            before = command
            argv = ("sh", "-c", _LONG, "sh", str(len(command)))
        if not root:
            argv, before = self._sudo.wrap(argv), self._sudo.prelude + before
        return quote(argv).encode("utf-8", "surrogateescape"), before

    # ------------------------------------------------------------------ connection

    def _channel(self) -> tuple[Transport, Channel]:
        """A channel for one command. A connection that died unnoticed is made anew: no command was sent over it yet."""
        with self._lock:
            for _ in range(2):
                transport = self._connected()
                try:
                    return transport, transport.open_session(timeout=_SILENCE)
                except (SSHException, EOFError, OSError) as error:
                    failure = error
                    self.close()
        raise Unreachable(f"{self.name}: accepts the login, but runs no command: {failure}")

    def _connected(self) -> Transport:
        if self._login and (transport := self._login.transport) and transport.is_active():
            return transport
        self.close()
        deadline = time.monotonic() + (self.patience if self._was_there else 0.0)
        pause = 0.25
        while True:
            try:
                return self._log_in()
            except _NoAnswer:
                if time.monotonic() + pause > deadline:
                    raise
                waiting.say(self.name, f"the host, which does not answer, at most {self.patience:.0f} s")
            time.sleep(pause)
            pause = min(2 * pause, 4.0)

    def _log_in(self) -> Transport:
        try:
            login = Login(**self._options)
        except (
            ValueError,
            TypeError,
        ) as error:  # netmiko's words: a key file that is not there, an option unknown to it
            message = " ".join(str(error).split())
            raise Unreachable(f"{self.name}: {message}", hint="see the extras of its netmiko connection") from None
        login.dial, self._dial = self._dial, None
        try:
            login.establish_connection()
        except Exception as error:
            said = login.proxy.said() if login.proxy else ""
            login.disconnect()
            raise self._refused(error, said, login.scan) from error
        assert login.transport
        self._login, self._was_there = login, True
        return login.transport

    def _refused(self, error: Exception, said: str, scan: Sequence[str] = ()) -> Exception:
        """The `Unreachable` for a failed connection. An error that is not the network's is returned as it is."""
        place = f"{self._options['host']} port {self._options['port']}"
        where = f"{self.name} ({place})"
        if isinstance(error, UnknownKey):
            return HostKeyRefused(
                f"{where}: {error}; it is in none of {self._known_hosts}", hint=self._how_to_add(scan)
            )
        if isinstance(error, BadHostKeyException):
            return HostKeyRefused(
                f"{where}: showed another host key ({error.key.fingerprint}) than {self._known_hosts} knows",
                hint="somebody else may be answering. If the host was set up anew, take its old key out with ssh-keygen -R",
            )
        if isinstance(error, AuthenticationException) or str(error) == "No authentication methods available":
            user = self._options["username"] or "us"
            return LoginRefused(
                f"{where}: does not let {user} in: {error}", hint="see its username, key_file, password"
            )
        if isinstance(error, socket.gaierror):
            return Unreachable(f"{where}: no such name: {error.strerror}", hint="see its hostname in the inventory")
        if isinstance(error, OSError) and error.filename:
            return Unreachable(f"{where}: {error.filename}: {error.strerror}")
        if isinstance(error, TimeoutError | OSError | SSHException | EOFError):
            cause = said or _in_words(error) or type(error).__name__
            return _NoAnswer(f"{where}: no answer: {cause}", hint="see that it is up, its address, and its port")
        return error

    @property
    def _known_hosts(self) -> str:
        """The files of known hosts that were read, in words."""
        chosen = [self._options["alt_key_file"]] if self._options.get("alt_host_keys") else []
        chosen += ["~/.ssh/known_hosts"] if self._options["system_host_keys"] else []
        return ", ".join(name if Path(name).expanduser().exists() else f"{name} (not there)" for name in chosen)

    def _how_to_add(self, scan: Sequence[str]) -> str:
        file = self._options.get("alt_key_file") if self._options.get("alt_host_keys") else "~/.ssh/known_hosts"
        asked = quote(scan or ("ssh-keyscan", "-p", str(self._options["port"]), str(self._options["host"])))
        return f"compare it with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then: {asked} >> {file}"

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """Turns a connection that breaks within the block into `ConnectionLost`: a command was running."""
        try:
            yield
        except (SSHException, EOFError, OSError) as error:
            self.close()
            raise ConnectionLost(
                f"{self.name}: the connection broke: {str(error) or 'closed by the other side'}",
                hint="what the host did since is unknown: resume once it is back",
            ) from error

    def _probe(self, transport: Transport) -> None:
        """Raises `ConnectionLost` if the host no longer answers."""
        with self._losing():
            transport.open_session(timeout=_SILENCE).close()


def _something(channel: Channel, seconds: float) -> bool:
    """Waits for output or the end of the command. Returns whether either was seen."""
    if channel.eof_received:
        return bool(channel.status_event.wait(seconds))
    poller = select.poll()
    poller.register(channel.fileno(), select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def _in_words(error: Exception) -> str:
    """The message of a failed connection, without its error number. paramiko reports one error for each address."""
    if isinstance(error, NoValidConnectionsError):
        return "; ".join(dict.fromkeys(_in_words(failure) for failure in error.errors.values()))
    return _NUMBER.sub("", str(error))

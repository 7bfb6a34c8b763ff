"""Login: netmiko's login to a host, without its terminal. Checks host keys, uses jump hosts, and tunes the connection."""

import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from netmiko.linux.linux_ssh import LinuxSSH
from paramiko import Message, MissingHostKeyPolicy, PKey, RejectPolicy, SSHClient, SSHConfig, SSHException, Transport
from paramiko.common import MSG_IGNORE
from paramiko.hostkeys import HostKeyEntry

from . import known_hosts
from .dial import Dial
from .proxy import Proxy, scan, way

_CURVE = "ecdh-sha2-nistp256"  # RFC 5656
_SEALING = "-gcm@openssh.com"  # RFC 5647, as OpenSSH has it

for _library in (
    "paramiko",
    "netmiko",
):  # they log the errors that they raise; without a handler Python prints them
    logging.getLogger(_library).addHandler(logging.NullHandler())


class UnknownKey(SSHException):  # type: ignore[misc]
    """The host showed a key that no known_hosts file holds."""

    def __init__(self, name: str, key: PKey) -> None:
        super().__init__(f"{name} showed an unknown host key, {key.get_name()} {key.fingerprint}")


class _Refuse(MissingHostKeyPolicy):  # type: ignore[misc]
    """As RejectPolicy of paramiko, with the key in the error."""

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        raise UnknownKey(hostname, key)


class _Client(SSHClient):  # type: ignore[misc]
    """An SSH client of paramiko that loads the known keys of its own host only."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def load_system_host_keys(self, filename: str | None = None) -> None:
        with suppress(OSError):
            self.load_host_keys(filename or str(Path("~/.ssh/known_hosts").expanduser()))

    def load_host_keys(self, filename: str) -> None:
        """The first key of each type counts, as when paramiko reads the file."""
        keys = self.get_host_keys()
        for line in known_hosts.lines(Path(filename), self._name):
            entry = HostKeyEntry.from_line(line)
            if entry and entry.key.get_name() not in (keys.lookup(self._name) or {}):
                keys.add(self._name, entry.key.get_name(), entry.key)


class Login(LinuxSSH):
    """netmiko's login to a Linux host, without opening a terminal. Raises the errors of paramiko and the system."""

    proxy: Proxy | None = None
    scan: tuple[str, ...] = ()
    """The command that prints the host's keys, if an ssh_config is used."""
    dial: Dial | None = None

    def establish_connection(self, width: int = 511, height: int = 1000) -> None:
        params = self._connect_params_dict()
        self._place = known_hosts.place(params["hostname"], params["port"])
        client = self.remote_conn_pre = self._build_ssh_client()
        if isinstance(self.key_policy, RejectPolicy):
            client.set_missing_host_key_policy(_Refuse())
        if self.dial and not params["sock"]:
            params["sock"] = self.dial.take(params["timeout"])
        client.connect(**params, transport_factory=_transport)

    def _get_ssh_client_instance(self) -> SSHClient:
        return _Client(self._place)

    def _try_session_preparation(self, force_data: bool = True) -> None:
        """Does nothing: there is no terminal to prepare."""

    def _connect_params_dict(self) -> dict[str, Any]:
        params: dict[str, Any] = super()._connect_params_dict()
        return params | {"username": params["username"] or None}

    def _use_ssh_config(self, dict_arg: dict[str, Any]) -> dict[str, Any]:
        """As netmiko does, but port and username of the inventory also apply to proxy commands (`%p`, `%r`)."""
        path = Path(self.ssh_config_file or "").expanduser().absolute()
        if not path.is_file():
            return dict_arg
        port = f"Port {dict_arg['port']}\n" if dict_arg["port"] != 22 else ""
        user = f"User {dict_arg['username']}\n" if dict_arg["username"] else ""
        text = path.read_text(encoding="utf-8")
        # The first value of an option counts, ssh_config(5).
        entry = SSHConfig.from_text(port + user + text).lookup(self.host)
        host, number = entry.get("hostname", self.host), int(entry.get("port", 22))
        self.scan = tuple(scan(entry, str(path), host, number))
        if argv := way(entry, str(path), host, number):
            self.proxy = Proxy(argv)
            dict_arg = dict_arg | {"sock": self.proxy.socket}
        return dict_arg | {"hostname": host, "port": number, "username": entry.get("user", "")}

    @property
    def transport(self) -> Transport | None:
        """The connection for commands, once it exists."""
        return self.remote_conn_pre.get_transport() if self.remote_conn_pre else None

    def disconnect(self) -> None:
        super().disconnect()
        if self.proxy:
            self.proxy.close()


class _Transport(Transport):  # type: ignore[misc]
    """A transport of paramiko that answers the host's announcement after the login (usually its keys) at once.

    The answer is a message that sshd ignores (RFC 4253, 11.2). Until the first command, sshd uses Nagle's algorithm: without an
    answer, its confirmation of our channel would wait 40 ms for our delayed acknowledgement (tcp(7)).
    """

    def _parse_global_request(self, message: Message) -> None:
        super()._parse_global_request(message)
        ignored = Message()
        ignored.add_byte(bytes([MSG_IGNORE]))
        ignored.add_string(b"")
        self._send_message(ignored)

    def _parse_debug(self, message: Message) -> None:
        """Ignores debug messages of sshd (RFC 4253, 11.3)."""


def _transport(sock: Any, **options: Any) -> Transport:
    """A transport of paramiko, tuned for many short commands.

    - TCP_NODELAY: Nagle's algorithm and delayed acknowledgements would cost each command 40 ms (tcp(7)).
    - P-256 first: OpenSSL computes it in a fraction of the time that sshd takes for its own Curve25519.
    - Authenticated ciphers first: with the others, paramiko compares the authentication code of each packet byte by byte.
    """
    if getattr(sock, "family", None) in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = _Transport(sock, **options)
    security = transport.get_security_options()
    security.kex = tuple(sorted(security.kex, key=lambda name: (name != _CURVE, not name.startswith("curve25519"))))
    security.ciphers = tuple(sorted(security.ciphers, key=lambda name: not name.endswith(_SEALING)))
    return transport

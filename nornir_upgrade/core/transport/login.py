"""netmiko's login to a host without its terminal: keys known, ways through other hosts, and the connection tuned."""

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
):  # they log what they raise as well; without a handler that would be on the screen
    logging.getLogger(_library).addHandler(logging.NullHandler())


class UnknownKey(SSHException):  # type: ignore[misc]
    """The host showed a key that no known_hosts file holds."""

    def __init__(self, name: str, key: PKey) -> None:
        super().__init__(f"{name} showed an unknown host key, {key.get_name()} {key.fingerprint}")


class _Refuse(MissingHostKeyPolicy):  # type: ignore[misc]
    """As paramiko's RejectPolicy, with the key."""

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        raise UnknownKey(hostname, key)


class _Client(SSHClient):  # type: ignore[misc]
    """paramiko's client, which knows the keys of the one host that it is for."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def load_system_host_keys(self, filename: str | None = None) -> None:
        with suppress(OSError):
            self.load_host_keys(filename or str(Path("~/.ssh/known_hosts").expanduser()))

    def load_host_keys(self, filename: str) -> None:
        """The first key of a type counts, as it does where paramiko reads the file."""
        keys = self.get_host_keys()
        for line in known_hosts.lines(Path(filename), self._name):
            entry = HostKeyEntry.from_line(line)
            if entry and entry.key.get_name() not in (keys.lookup(self._name) or {}):
                keys.add(self._name, entry.key.get_name(), entry.key)


class Login(LinuxSSH):
    """netmiko's login to a Linux host, and nothing of its terminal. Raises what paramiko and the system raise."""

    proxy: Proxy | None = None
    scan: tuple[str, ...] = ()
    """The command that prints the host's keys, where an ssh_config says how the host is reached."""
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
        """Nothing: there is no terminal to prepare."""

    def _connect_params_dict(self) -> dict[str, Any]:
        params: dict[str, Any] = super()._connect_params_dict()
        return params | {"username": params["username"] or None}

    def _use_ssh_config(self, dict_arg: dict[str, Any]) -> dict[str, Any]:
        """As netmiko does, and what the inventory says counts in a way through other hosts (`%p`, `%r`) as well."""
        path = Path(self.ssh_config_file or "").expanduser().absolute()
        if not path.is_file():
            return dict_arg
        port = f"Port {dict_arg['port']}\n" if dict_arg["port"] != 22 else ""
        user = f"User {dict_arg['username']}\n" if dict_arg["username"] else ""
        text = path.read_text(encoding="utf-8")
        # The first that is said counts, ssh_config(5).
        found = SSHConfig.from_text(port + user + text).lookup(self.host)
        host, number = found.get("hostname", self.host), int(found.get("port", 22))
        self.scan = tuple(scan(found, str(path), host, number))
        if argv := way(found, str(path), host, number):
            self.proxy = Proxy(argv)
            dict_arg = dict_arg | {"sock": self.proxy.socket}
        return dict_arg | {"hostname": host, "port": number, "username": found.get("user", "")}

    @property
    def transport(self) -> Transport | None:
        """The connection that commands go over, once it is there."""
        return self.remote_conn_pre.get_transport() if self.remote_conn_pre else None

    def disconnect(self) -> None:
        super().disconnect()
        if self.proxy:
            self.proxy.close()


class _Transport(Transport):  # type: ignore[misc]
    """paramiko's, and what the host announces once we are logged in (its keys, as a rule) is acknowledged at once, by a message that
    it ignores (RFC 4253, 11.2): until the first command sshd keeps to Nagle's algorithm, and what it says next, that our channel is
    open, would wait 40 ms for our delayed acknowledgement (tcp(7)).
    """

    def _parse_global_request(self, message: Message) -> None:
        super()._parse_global_request(message)
        ignored = Message()
        ignored.add_byte(bytes([MSG_IGNORE]))
        ignored.add_string(b"")
        self._send_message(ignored)

    def _parse_debug(self, message: Message) -> None:
        """What sshd tells of itself to whom it lets in need not be heard (RFC 4253, 11.3)."""


def _transport(sock: Any, **options: Any) -> Transport:
    """paramiko's transport, without the 40 ms that Nagle's algorithm and delayed acknowledgements cost each command (tcp(7)), and
    with the elliptic curves first, of which OpenSSL computes P-256 in a fraction of the time that sshd takes for its own Curve25519;
    and the ciphers first that prove what they encrypt: for the others paramiko compares a proof byte by byte, packet by packet.
    """
    if getattr(sock, "family", None) in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = _Transport(sock, **options)
    security = transport.get_security_options()
    security.kex = tuple(sorted(security.kex, key=lambda name: (name != _CURVE, not name.startswith("curve25519"))))
    security.ciphers = tuple(sorted(security.ciphers, key=lambda name: not name.endswith(_SEALING)))
    return transport

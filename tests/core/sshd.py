"""A real sshd of a test's own: on loopback, with keys, port and configuration in a directory of the test."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.core.local import ME

PROGRAM = "/usr/sbin/sshd"


class Sshd:
    """sshd in the foreground. Its sessions are its children's children: `drop` ends these, `stop` the listener as well."""

    def __init__(self, directory: Path, **settings: str) -> None:
        directory.mkdir()
        self.directory = directory
        self.port = _free_port()
        self.key = directory / "id"
        self.known_hosts = directory / "known_hosts"
        for path in (self.key, directory / "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        (directory / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {(directory / 'host_key.pub').read_text()}")
        lines = {
            "Port": str(self.port),
            "ListenAddress": "127.0.0.1",
            "HostKey": str(directory / "host_key"),
            "PidFile": "none",
            "AuthorizedKeysFile": str(directory / "authorized_keys"),
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            **settings,
        }
        (directory / "config").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Afterwards it listens; unless the test is over, which a timer may not have heard of."""
        if self._over.is_set():
            return
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd(8): its privilege separation directory
        with (self.directory / "log").open("ab") as log:
            argv = [PROGRAM, "-D", "-e", "-f", str(self.directory / "config")]
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError((self.directory / "log").read_text())

    def drop(self) -> None:
        """Every connection breaks."""
        for pid in self._descendants():
            if b"sshd" in _command_line(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)

    def end(self) -> None:
        """As `stop`, for good."""
        self._over.set()
        self.stop()

    def stop(self) -> None:
        """Nobody listens any more, and every connection breaks."""
        self.drop()
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def logins(self) -> int:
        """How often somebody was let in."""
        return (self.directory / "log").read_text().count("Accepted ")

    def options(self, **extras: Any) -> dict[str, Any]:
        """What an `SshHost` wants to know to get in."""
        own = {
            "use_keys": True,
            "key_file": str(self.key),
            "allow_agent": False,
            "system_host_keys": False,
            "alt_host_keys": True,
            "alt_key_file": str(self.known_hosts),
        }
        return {"hostname": "127.0.0.1", "port": self.port, "username": ME, "extras": own | extras}

    def _descendants(self) -> list[int]:
        parents = _parents()
        found = [self._process.pid] if self._process else []
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]


@contextmanager
def running(directory: Path, **settings: str) -> Iterator[Sshd]:
    """An sshd until the block ends."""
    sshd = Sshd(directory, **settings)
    sshd.start()
    try:
        yield sshd
    finally:
        sshd.end()


def _parents() -> Mapping[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def _command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port

"""Proxy: the connection to a host through jump hosts or a proxy command, as ssh_config(5) defines it."""

import shlex
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any


def way(entry: Mapping[str, Any], config: str, host: str, port: int) -> list[str]:
    """The command whose standard streams connect to `host`, from its `entry` in the file `config`. Empty: connect directly."""
    if entry.get("proxycommand"):
        argv = shlex.split(entry["proxycommand"])
        return argv[1:] if argv[:1] == ["exec"] else argv
    if entry.get("proxyjump", "none") == "none":
        return []
    *before, last = entry["proxyjump"].split(",")
    jumps = ["-J", ",".join(before)] if before else []
    options = ["-F", config, "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", *jumps]
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return ["ssh", *options, "-W", target, "--", last if last.startswith("ssh://") else f"ssh://{last}"]


def scan(entry: Mapping[str, Any], config: str, host: str, port: int) -> list[str]:
    """The command that prints the keys of `host`. With jump hosts, it runs on the last of them."""
    argv = ["ssh-keyscan", "-p", str(port), host]
    if entry.get("proxyjump", "none") == "none":
        return argv
    *before, last = entry["proxyjump"].split(",")
    jumps = ["-J", ",".join(before)] if before else []
    return ["ssh", "-F", config, *jumps, "--", last if last.startswith("ssh://") else f"ssh://{last}", shlex.join(argv)]


class Proxy:
    """A proxy process. `socket` is connected to its standard streams.

    The process has a session of its own: it cannot prompt on our terminal, and does not get our Ctrl-C.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.socket, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, as long-lived as the process
        with theirs:
            self._process = subprocess.Popen(
                list(argv), stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._errors, start_new_session=True
            )

    def said(self) -> str:
        """The error output of the process, at most 4096 bytes."""
        self._errors.seek(0)
        return self._errors.read(4096).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Ends the process."""
        self.socket.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._process.kill()
        self._process.wait()
        self._errors.close()

"""The way to a host through others: what ssh_config(5) says of it, and the process that goes it."""

import shlex
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any


def way(found: Mapping[str, Any], config: str, host: str, port: int) -> list[str]:
    """The command whose standard streams lead to `host`, as its entry `found` in the file `config` has it; empty: go directly."""
    if found.get("proxycommand"):
        argv = shlex.split(found["proxycommand"])
        return argv[1:] if argv[:1] == ["exec"] else argv
    if found.get("proxyjump", "none") == "none":
        return []
    *before, last = found["proxyjump"].split(",")
    jumps = ["-J", ",".join(before)] if before else []
    options = ["-F", config, "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", *jumps]
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return ["ssh", *options, "-W", target, "--", last if last.startswith("ssh://") else f"ssh://{last}"]


def scan(found: Mapping[str, Any], config: str, host: str, port: int) -> list[str]:
    """The command that prints the keys of `host`, asked from the last host on the way to it where others are on it."""
    argv = ["ssh-keyscan", "-p", str(port), host]
    if found.get("proxyjump", "none") == "none":
        return argv
    *before, last = found["proxyjump"].split(",")
    jumps = ["-J", ",".join(before)] if before else []
    return ["ssh", "-F", config, *jumps, "--", last if last.startswith("ssh://") else f"ssh://{last}", shlex.join(argv)]


class Proxy:
    """A process through which a connection goes: whoever talks to `socket` talks to its standard streams.

    It is in a session of its own, so that it neither asks on our terminal nor gets the Ctrl-C that was meant for us.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.socket, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, as long-lived as the process
        with theirs:
            self._process = subprocess.Popen(
                list(argv), stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._errors, start_new_session=True
            )

    def said(self) -> str:
        """What it complained of."""
        self._errors.seek(0)
        return self._errors.read(4096).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Afterwards the process is gone."""
        self.socket.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._process.kill()
        self._process.wait()
        self._errors.close()

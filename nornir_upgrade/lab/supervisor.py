"""PID 1 of a lab: its network, its hosts, its web server, and the way in from this machine.

The lab is one process tree in one pid, network and mount namespace: when this process dies, the kernel ends every process,
mount, interface and namespace of the lab. Only empty cgroup directories stay, at the place written in `cgroup`.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from nornir_upgrade.core.errors import Failure

from . import control, forward, web
from .errors import LabError
from .host import CONTROLLER, HTTP_PORT, NETWORK
from .mirror import Mirror

_BRIDGE = "br0"
_BOOT_SECONDS = 20.0
_END_SECONDS = 20.0
_LOOK_SECONDS = 2.0
_REBOOT = -signal.SIGHUP
"""How `unshare` ends whose guest called reboot(2) to restart, see pid_namespaces(7)."""
_SYSTEMD_POWER_OFF = signal.SIGRTMIN + 4
"""systemd(1), SIGNALS: starts poweroff.target."""


@dataclass(slots=True, eq=False)
class Guest:
    """One host, as the supervisor keeps it. `process` is the `unshare` in front of the guest's init."""

    name: str
    number: int
    listener: asyncio.Server
    linked: bool = True
    process: asyncio.subprocess.Process | None = None
    failure: str = ""
    killed: bool = False
    plugged: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        return f"{NETWORK}.{self.number}"

    @property
    def veth(self) -> str:
        return f"v{self.number}"

    @property
    def state(self) -> str:
        return "running" if not self.ended.is_set() else "failed" if self.failure else "stopped"


class Supervisor:
    """Answers the control channel; owns the guests. `outside` is a descriptor of this machine's network namespace."""

    def __init__(self, directory: Path, cgroup: Path, cache: Path, outside: int) -> None:
        self._directory = directory
        self._cgroup = cgroup
        self._mirror = Mirror(cache, directory / "picture", outside=outside, tell=_tell)
        self._guests: dict[str, Guest] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._commands: Mapping[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "up": self._up,
            "kill": self._kill,
            "poweroff": self._poweroff,
            "link": self._link,
            "status": self._status,
        }

    async def serve(self) -> None:
        """Makes the network, serves the repositories, then answers requests for as long as the lab's directory exists."""
        _make_bridge()
        web.serve((CONTROLLER, HTTP_PORT), self._directory / "repositories", self._mirror)
        server = control.listen(self._directory)
        self._keep(self._accept(server))
        while (self._directory / "pid").exists():  # a lab whose directory was deleted by hand ends too
            await asyncio.sleep(_LOOK_SECONDS)

    async def _accept(self, server: socket.socket) -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(server)
            self._keep(self._answer(connection))

    async def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                request, descriptors = await _receive(connection)
                command = self._commands[request.pop("command")]
                sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
                answer = await command(*sockets, **request)
            except Failure as failure:
                answer = {"error": failure.message}
            except Exception:
                answer = {"error": traceback.format_exc()}
            await asyncio.get_running_loop().sock_sendall(connection, control.encode(answer))

    async def _up(self, listener: socket.socket | None = None, *, name: str, number: int) -> dict[str, Any]:
        """Afterwards the host runs; its first `up` brings the socket on which this machine reaches its sshd."""
        guest = self._guests.get(name)
        if guest is None:
            if listener is None:
                raise LabError(f"{name}: the first start of a host needs a listening socket")
            server = await forward.serve(listener, f"{NETWORK}.{number}", 22)
            guest = self._guests[name] = Guest(name, number, server)
            guest.ended.set()
        elif listener is not None:
            listener.close()
        if guest.ended.is_set():
            guest.ended.clear()
            started = asyncio.get_running_loop().create_future()
            self._keep(self._life(guest, started))
            await started
        return {}

    async def _kill(self, *, name: str) -> dict[str, Any]:
        """Afterwards the host is gone as by a power failure: no process of it had time for anything."""
        guest = self._guest(name)
        guest.killed = True
        deadline = time.monotonic() + _END_SECONDS
        while not guest.ended.is_set():
            _signal_init(guest, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(guest.ended.wait(), 0.2)
            if time.monotonic() > deadline:
                raise LabError(f"{name} did not end within {_END_SECONDS:g} s")
        return {}

    async def _poweroff(self, *, name: str, timeout: float) -> dict[str, Any]:
        """Afterwards the host has shut down in order; an error when it takes longer than `timeout` seconds."""
        guest = self._guest(name)
        if not guest.ended.is_set():
            _signal_init(guest, _SYSTEMD_POWER_OFF)
            try:
                await asyncio.wait_for(guest.ended.wait(), timeout)
            except TimeoutError:
                raise LabError(f"{name} did not shut down within {timeout:g} s") from None
        return {}

    async def _link(self, *, name: str, up: bool) -> dict[str, Any]:
        """Afterwards the host is plugged into the network, or out of it; that outlives its reboots."""
        guest = self._guest(name)
        guest.linked = up
        if guest.plugged:
            _ip("link", "set", guest.veth, "up" if up else "down")
        return {}

    async def _status(self) -> dict[str, Any]:
        return {
            "hosts": {
                guest.name: {"state": guest.state, "linked": guest.linked, "failure": guest.failure}
                for guest in self._guests.values()
            }
        }

    async def _life(self, guest: Guest, started: asyncio.Future[None]) -> None:
        """Boots the guest, and again as long as it asks for a reboot. `started` is set when its first boot is on its way."""
        guest.failure, guest.killed = "", False
        try:
            while await self._boot(guest, started) == _REBOOT and not guest.killed:
                pass
        except Exception as failure:
            guest.failure = str(failure)
            if not started.done():
                started.set_exception(failure)
        finally:
            guest.plugged = False
            guest.ended.set()

    async def _boot(self, guest: Guest, started: asyncio.Future[None]) -> int:
        """One boot, from namespaces to the end of the guest's init. Returns how it ended, as asyncio has it."""
        guest.plugged = False
        directory = self._directory / "hosts" / guest.name
        script = str(files("nornir_upgrade.lab").joinpath("data", "host.sh"))
        with (directory / "console.log").open("ab") as console:
            guest.process = process = await asyncio.create_subprocess_exec(
                *("sh", "-eu", script, "enter", str(self._cgroup / guest.name), guest.name, guest.address),
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
            )
        assert process.stdin is not None and process.stdout is not None
        try:
            await _said(guest, process.stdout, b"namespaces\n")
            _plug_in(guest, process.pid)
            process.stdin.write(b"eth0\n")
            process.stdin.close()
            await _said(guest, process.stdout, b"network\n")
        except BaseException:
            _signal_init(guest, signal.SIGKILL)
            raise
        if not started.done():
            started.set_result(None)
        ended = await process.wait()
        if ended > 0 and not guest.killed:
            guest.failure = f"its boot failed (exit {ended}), see {directory / 'console.log'}"
        return ended

    def _guest(self, name: str) -> Guest:
        if name not in self._guests:
            raise LabError(f"{name} was not started since the lab came up", hint="nornir-upgrade lab up")
        return self._guests[name]

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _tell(text: str) -> None:
    """Into the lab's log."""
    print(text, file=sys.stderr, flush=True)


async def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    loop = asyncio.get_running_loop()
    connection.setblocking(False)
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), 10.0)
    finally:
        loop.remove_reader(connection)
    data, descriptors, _, _ = socket.recv_fds(connection, control.LARGEST, 1)
    return dict(control.decode(data)), descriptors


async def _said(guest: Guest, stdout: asyncio.StreamReader, word: bytes) -> None:
    said = await asyncio.wait_for(stdout.readline(), _BOOT_SECONDS)
    if said != word:
        raise LabError(f"{guest.name} stopped before it said {word.decode().strip()!r}, see its console.log")


def _signal_init(guest: Guest, number: int) -> None:
    """Signals the guest's init, the one child of its `unshare`; where there is none yet, ends `unshare` itself.

    The kernel ends all processes of the guest before its init is reaped (pid_namespaces(7)), and `unshare` waits for that.
    """
    if guest.process is None:
        return
    unshare = guest.process.pid
    try:
        children = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()
        os.kill(int(children[0]) if children else unshare, number if children else signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass  # ended in the meantime


def _make_bridge() -> None:
    _ip("link", "set", "lo", "up")
    _ip("link", "add", _BRIDGE, "address", _mac(CONTROLLER), "type", "bridge")
    _ip("address", "add", f"{CONTROLLER}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")


def _plug_in(guest: Guest, pid: int) -> None:
    """Gives the network namespace of `pid` an eth0 on the bridge."""
    mac = _mac(guest.address)
    # A killed guest's interface lingers for a moment.
    subprocess.run(["ip", "link", "delete", guest.veth], stderr=subprocess.DEVNULL, check=False)
    _ip("link", "add", guest.veth, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", str(pid))
    _ip("link", "set", guest.veth, "master", _BRIDGE, "up" if guest.linked else "down")
    # Else the first ARP request is lost while the port comes up, and the next one is a second away.
    _ip("neighbour", "replace", guest.address, "lladdr", mac, "dev", _BRIDGE, "nud", "permanent")
    guest.plugged = True


def _mac(address: str) -> str:
    """The hardware address of a lab address: always the same, so that a restart leaves the neighbours' ARP entries right."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


if __name__ == "__main__":
    asyncio.run(Supervisor(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])).serve())

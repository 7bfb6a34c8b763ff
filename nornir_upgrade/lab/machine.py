"""What the lab asks of the machine that it runs on."""

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput, TimedOut

from . import base
from .errors import LabError

_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_A_HOST = 7  # 5 systemd, 1 dbus, 1 logind
_INOTIFY_OTHERS = 20
_INOTIFY_ENOUGH = 4096
_MARK = "lock"
_LOCK_SECONDS = 300.0  # the other one may be building a base


def default_cache() -> Path:
    """$XDG_CACHE_HOME/nornir-upgrade/lab; for root without that variable below /var/cache."""
    home = os.environ.get("XDG_CACHE_HOME") or ("/var/cache" if os.geteuid() == 0 else str(Path.home() / ".cache"))
    return Path(home) / "nornir-upgrade" / "lab"


def check(hosts: int) -> None:
    """Raises LabError, with what to do, where this machine cannot run a lab of that many hosts."""
    if os.geteuid() != 0:
        raise LabError(
            "the lab makes namespaces and mounts, which needs root", hint="run it as root, e.g. with sudo -E"
        )
    base.require_tools()
    limit = int(_INOTIFY.read_text())
    if limit >= hosts * _INOTIFY_A_HOST + _INOTIFY_OTHERS:
        return
    try:
        _INOTIFY.write_text(str(_INOTIFY_ENOUGH))
    except OSError:
        raise LabError(
            f"{hosts} hosts need more inotify instances than the {limit} of this machine",
            hint=f"sysctl -w fs.inotify.max_user_instances={_INOTIFY_ENOUGH}, or fewer hosts",
        ) from None


def check_directory(directory: Path) -> None:
    """Raises unless the directory is a lab's, or empty, on a file system that hosts can write their layers to."""
    if any(directory.iterdir()) and not (directory / _MARK).is_file():
        raise InvalidInput(f"{directory} is neither empty nor a lab's directory", hint="`lab down` removes it whole")
    kind = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", str(directory)], capture_output=True, text=True)
    if kind.stdout.strip() == "overlay":
        raise LabError(f"{directory} is on an overlay, which cannot hold the layers of hosts", hint="use a tmpfs")


@contextmanager
def locked(directory: Path) -> Iterator[int]:
    """One at a time: a second process that changes the same lab waits. The lock's file marks the directory as a lab's.

    Yields the descriptor: a process that inherits it holds the lock too, should this one be killed.
    """
    while True:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / _MARK
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait_for_lock(descriptor, directory)
            if not (path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino):
                continue  # the lab went down while we waited
            yield descriptor
            return
        finally:
            os.close(descriptor)


def _wait_for_lock(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimedOut(f"another process has been changing the lab in {directory} for too long") from None
        time.sleep(0.05)


def remove_tree(directory: Path) -> None:
    """Afterwards the lab's directory is gone; its mark went last, so that what a crash leaves is known for a lab's.

    Raises LabError where something is mounted below it: that is not the lab's, and would be emptied.
    """
    inside = f"{directory}/"
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    if mounted := [point for point in points if point.startswith(inside)]:
        raise LabError(f"{mounted[0]} is a mount inside the lab directory", hint=f"umount {mounted[0]}")
    for path in directory.iterdir():
        if path.name != _MARK:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(directory)


def write(path: Path, text: str) -> None:
    """Afterwards the file holds the text, mode 0600; never a part of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


def greets(address: str, port: int, patience: float) -> bool:
    """Whether an SSH server answers there within `patience` seconds."""
    try:
        with socket.create_connection((address, port), timeout=patience) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False

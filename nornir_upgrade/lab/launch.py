"""Starts a lab's supervisor, and ends it: the only two places that know its process from outside.

As a program, `python -m nornir_upgrade.lab.launch STAGE DIRECTORY` is the way from the caller's process to PID 1 of the lab.
"""

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from nornir_upgrade.core.errors import TimedOut

from . import control
from .errors import LabError

_START_SECONDS = 20.0
_END_SECONDS = 20.0


def alive(directory: Path) -> bool:
    """Whether the lab's process tree exists, be it on its way up, or hanging."""
    return _pid(directory) is not None


def start(directory: Path, cache: Path, lock: int) -> None:
    """Afterwards the lab's supervisor answers. It keeps a shared lock on `cache`/lock as long as it lives.

    `lock` is the descriptor of the lab's lock, kept until the new process is on record, even if this one is killed.
    Raises LabError with the supervisor's log where it could not start.
    """
    if not alive(directory):
        end(directory)
        _spawn(directory, cache, lock)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            control.ask(directory, {"command": "status"}, timeout=5.0)
            return
        except OSError:
            if time.monotonic() > deadline or not alive(directory):
                said = (directory / "supervisor.log").read_text(errors="replace").strip()
                raise LabError(
                    f"the lab's supervisor does not answer:\n{said}", hint="nornir-upgrade lab down"
                ) from None
        time.sleep(0.02)


def _spawn(directory: Path, cache: Path, lock: int) -> None:
    with (directory / "supervisor.log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-P", "-m", __name__, "detach", str(directory), str(cache), str(lock)],
            pass_fds=[lock],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,  # what it says is in the log, which the wait for an answer shows
            timeout=_START_SECONDS,
        )


def end(directory: Path) -> None:
    """Afterwards nothing of the lab is left in the kernel: no process, mount, interface, namespace or cgroup.

    Twice is once, and a supervisor that died of itself is no obstacle.
    """
    deadline = time.monotonic() + _END_SECONDS
    while (pid := _pid(directory)) is not None:
        _kill_tree(pid)
        if time.monotonic() > deadline:
            raise TimedOut(f"the lab's process {pid} does not end", hint="its processes may hang in the kernel: see ps")
        time.sleep(0.02)
    _remove_cgroup(directory, deadline)
    for name in ("pid", "cgroup", "control"):
        (directory / name).unlink(missing_ok=True)


def _pid(directory: Path) -> int | None:
    """The process in front of the supervisor, if it is still that one: pids come round again, start times do not."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        pid, started = (directory / "pid").read_text().split()
        if _started(int(pid)) == started:
            return int(pid)
    return None


def _started(pid: int) -> str:
    """proc_pid_stat(5), field 22, of a process that is not a zombie; '' when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _kill_tree(pid: int) -> None:
    # The supervisor before the process that waits for it: so the wait for the latter is the wait for all of the lab.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(children[0]) if children else pid, signal.SIGKILL)


def _remove_cgroup(directory: Path, deadline: float) -> None:
    record = directory / "cgroup"
    top = Path(record.read_text()) if record.exists() else None
    while top is not None and top.is_dir():
        for path in (*sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True), top):
            with contextlib.suppress(OSError):  # busy for a moment after its last process
                path.rmdir()
        if time.monotonic() > deadline:
            raise TimedOut(f"the cgroup {top} cannot be removed", hint=f"see {top}/cgroup.procs")
        time.sleep(0.01)


def _detach(directory: Path, cache: Path, lock: int) -> None:
    """Leaves behind a process of its own session whose pid is on record before it does anything."""
    recorded, record = os.pipe()
    if child := os.fork():
        (directory / "pid").write_text(f"{child} {_started(child)}")
        os.write(record, b"1")
        return
    os.close(lock)
    os.close(record)
    if os.read(recorded, 1) != b"1":  # whoever starts us died before it wrote the record
        return
    os.setsid()
    _share(cache)
    # Under systemd, a scope with a delegated cgroup; it stays the same process, see systemd-run(1) --scope.
    scope = ["systemd-run", "--scope", "--quiet", "--property=Delegate=yes", "--"]
    stage = [sys.executable, "-P", "-m", "nornir_upgrade.lab.launch", "isolate", str(directory), str(cache)]
    argv = [*(scope if Path("/run/systemd/system").is_dir() else []), *stage]
    os.execvp(argv[0], argv)


def _share(cache: Path) -> None:
    """Locks the cache against removal until the last process of the lab has ended; the descriptor is inherited by them."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(cache / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.set_inheritable(descriptor, True)


def _isolate(directory: Path, cache: Path) -> None:
    """Becomes the process in front of the supervisor, which is PID 1 of new namespaces.

    The supervisor gets a descriptor of this network namespace: what it fetches from outside, it fetches there.
    """
    cgroup = _own_cgroup() / f"nornir-lab-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]}"
    (directory / "cgroup").write_text(str(cgroup))
    cgroup.mkdir(exist_ok=True)
    flags = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL", "--propagation", "private"]
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(outside, True)
    supervisor = [sys.executable, "-P", "-m", "nornir_upgrade.lab.supervisor"]
    supervisor += [str(directory), str(cgroup), str(cache), str(outside)]
    os.execvp("unshare", ["unshare", *flags, *supervisor])


def _own_cgroup() -> Path:
    """This process's directory in the cgroup v2 hierarchy (cgroups(7)); raises LabError where systemd could not live in it."""
    mounts = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    point = next((fields[4] for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"), None)
    path = next((line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")), "")
    own = Path(point or "/nonexistent") / path.lstrip("/")
    if not os.access(own / "cgroup.procs", os.W_OK):
        raise LabError(f"no writable cgroup v2 directory ({own}): systemd cannot be the init of lab hosts here")
    return own


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["detach", directory, cache, lock]:
            _detach(Path(directory), Path(cache), int(lock))
        case ["isolate", directory, cache]:
            _isolate(Path(directory), Path(cache))

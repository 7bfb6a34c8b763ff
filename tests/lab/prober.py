"""A stranger who logs in once a second while packages change, each time by a new connection: what a locked-out host is seen by."""

import subprocess
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from nornir_upgrade.lab.lab import Lab

_WORK = "sudo -n true && sh -c : && dpkg --version >/dev/null && echo in"
_SSH_FAILED = 255  # ssh(1), EXIT STATUS
RESTART = 3.0
"""Seconds that an sshd which starts anew may refuse connections."""


@dataclass(frozen=True)
class Attempt:
    """A login that was tried from `start` to `end` (seconds), its exit status, and what it said."""

    start: float
    end: float
    status: int
    said: str


@dataclass
class Prober:
    """Within a `with` block the host is logged in to, as `user` with sudo, once a second."""

    lab: Lab
    host: str
    user: str = "ops"
    attempts: list[Attempt] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Prober":
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            attempt = self._try()
            self.attempts.append(attempt)
            self._over.wait(max(0.0, 1.0 - (attempt.end - attempt.start)))

    def _try(self) -> Attempt:
        argv = [
            "ssh",
            "-F",
            str(self.lab.ssh_config),
            "-l",
            self.user,
            "-o",
            "ConnectTimeout=30",
            self.host,
            "--",
            _WORK,
        ]
        start = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        said = (done.stdout + done.stderr).strip()
        return Attempt(start, time.monotonic(), done.returncode if said.endswith("in") else done.returncode or 1, said)

    def lock_outs(self) -> list[str]:
        """What failed inside the host, and the times of `RESTART` and more in which nobody was let in; empty where all is well."""
        found = [f"{one.status}: {one.said}" for one in self.attempts if one.status not in (0, _SSH_FAILED)]
        since: float | None = None
        for one in self.attempts:
            if one.status == _SSH_FAILED:
                since = one.start if since is None else since
                last = one
            elif since is not None:
                if one.start - since >= RESTART:
                    found.append(f"nobody was let in for {one.start - since:.1f} s: {last.said}")
                since = None
        return found if since is None else [*found, f"nobody is let in: {last.said}"]

    @property
    def refused(self) -> int:
        """How many connections were refused."""
        return sum(one.status == _SSH_FAILED for one in self.attempts)

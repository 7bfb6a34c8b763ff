"""A `RemoteHost` that is this machine: its scripts run here, under this user, in directories of the test."""

import grp
import os
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from nornir_upgrade.core.errors import TimedOut
from nornir_upgrade.core.transport.remote import ENVIRONMENT, RemoteHost, Sink

ME = pwd.getpwuid(os.geteuid()).pw_name
MINE = grp.getgrgid(os.getegid()).gr_name


class LocalHost(RemoteHost):
    """Keeps its jobs in `directory`. `broken` is called with each command's number after the command ran, to lose its answer."""

    def __init__(self, directory: Path, *, patience: float = 5.0) -> None:
        super().__init__("here", patience)
        self.jobs_directory = str(directory)
        self.broken: Callable[[int], None] = lambda number: None
        self.commands = 0

    def exchange(self, argv: Sequence[str], source: BinaryIO | None, sink: Sink, timeout: float) -> tuple[int, bytes]:
        self.commands += 1
        number = self.commands
        with tempfile.TemporaryFile() as stdin:
            stdin.write(source.read() if source else b"")
            stdin.seek(0)
            try:
                done = subprocess.run(
                    ["env", *ENVIRONMENT, *argv], stdin=stdin, capture_output=True, timeout=timeout, check=False
                )
            except subprocess.TimeoutExpired:
                raise TimedOut("here: a command took too long") from None
        self.broken(number)
        sink(done.stdout)
        return done.returncode, done.stderr

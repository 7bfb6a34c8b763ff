"""Timing of whole processes, with the operating system's own accounting."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished process and the children it waited for: wall clock and processor seconds (user and system)."""

    wall: float
    cpu: float


class Failed(Exception):
    """A measured command did not end with status 0: its figures would mean nothing."""


def once(argv: Sequence[str], *, directory: Path, environment: dict[str, str]) -> Sample:
    """Run `argv` to its end. Raises `Failed` with the end of its output."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise Failed(
                f"{argv[0]} ended with {process.returncode}:\n{output.read().decode(errors='replace')[-2000:]}"
            )
    return Sample(wall, used.ru_utime + used.ru_stime)


def median(samples: Sequence[Sample]) -> Sample:
    """The median of each figure on its own."""
    return Sample(statistics.median(s.wall for s in samples), statistics.median(s.cpu for s in samples))

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
    """A measured command did not do all that it was to do: its figures would mean nothing."""


def once(argv: Sequence[str], *, directory: Path, environment: dict[str, str], status: int = 0) -> tuple[Sample, str]:
    """Run `argv` to its end; what it took, and all that it printed. Raises `Failed` where it ends with another status."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, ended, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(ended)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if process.returncode != status:
        raise Failed(f"{argv[0]} ended with {process.returncode}:\n{printed[-2000:]}")
    return Sample(wall, used.ru_utime + used.ru_stime), printed


def median(samples: Sequence[Sample]) -> Sample:
    """The median of each figure on its own."""
    return Sample(statistics.median(s.wall for s in samples), statistics.median(s.cpu for s in samples))

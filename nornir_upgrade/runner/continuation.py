"""Continuation: the function with which another program of this distribution continues runs of its own direction.

The program registers it as an entry point.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.run import Run

from .session import Session

GROUP = "nornir_upgrade.going_on"
Continuation = Callable[[Session, Run, Flags, Screen], int]
"""Executes the remaining steps of a run, prints its recap, and returns the exit code."""


def continuation(run: Run) -> Continuation | None:
    """The continuation of runs of this direction; None if no program registered one."""
    for entry_point in entry_points(group=GROUP, name=run.plan.direction):
        continue_run: Continuation = entry_point.load()
        return continue_run
    return None

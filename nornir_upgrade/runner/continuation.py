"""Joined: what another program of this distribution does with a run of its own kind. It says so by an entry point."""

from collections.abc import Callable
from importlib.metadata import entry_points

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.run import Run

from .session import Controller

GROUP = "nornir_upgrade.going_on"
GoOn = Callable[[Controller, Run, Flags, Screen], int]
"""Carries out what is left of a run, tells how it stands, and returns the exit code."""


def going_on(run: Run) -> GoOn | None:
    """What goes on with a run of this direction; `None` where nobody said that they do."""
    for one in entry_points(group=GROUP, name=run.plan.direction):
        found: GoOn = one.load()
        return found
    return None

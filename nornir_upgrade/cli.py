"""`nornir-upgrade`: takes a fleet forward. Verbs about runs are in `cli_runs`, those of the lab in `cli_lab`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .cli_lab import lab
from .cli_runs import history, policy, report, resume, status, unwind, write
from .core.errors import Blocked, InvalidInput
from .doors import CONSENT, EXIT_CODES, FLEET, GENERAL, STOPPING, WAVES, Door, Flags, before_the_verb, enter, flags
from .screen import Screen, columns

if TYPE_CHECKING:
    from .core.facts import HostFacts
    from .core.plan import Plan

SOMETHING_TO_DO = 100


@click.group(
    cls=Door,
    name="nornir-upgrade",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"""\b
Examples:
  nornir-upgrade scenarios
  nornir-upgrade plan service-by-service --out plan.json
  nornir-upgrade run plan.json
  nornir-upgrade run service-by-service --yes --on-failure unwind

{EXIT_CODES}

The way back from a finished run is the command `rollback`.""",
)
@click.version_option(package_name="nornir-upgrade")
@flags(*GENERAL)
@click.pass_context
def door(ctx: click.Context, _: Flags) -> None:
    """Take a fleet of hosts from one release to the next, and be able to take it back."""
    before_the_verb(ctx)


door.add_command(resume)
door.add_command(unwind)
door.add_command(status)
door.add_command(history)
door.add_command(report)
door.add_command(lab)


def main() -> NoReturn:
    """The console script."""
    enter(door)


if __name__ == "__main__":
    main()

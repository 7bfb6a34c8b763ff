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


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade run plan.json
  nornir-upgrade run service-by-service --yes --on-failure unwind
  nornir-upgrade run service-by-service --serial 1,50% --stop-after 1"""
)
@click.argument("target", metavar="PLAN.json|SCENARIO")
@flags(*GENERAL, *FLEET, *WAVES, *CONSENT, *STOPPING)
def run(flags: Flags, target: str) -> int:
    """Execute a saved plan, or plan and execute a scenario.

    A saved plan is executed verbatim, or refused where a host is no longer what it was planned for.
    """
    from .controller import at_work, gather_all, keep_snapshot, refuse_drift, refuse_irreversible, refuse_unfinished
    from .execution import go_forward

    screen = Screen(flags)
    screen.require_consent()
    saved = _saved(flags, target)
    with at_work(flags.config, f"nornir-upgrade run {target}", limit=flags.limit, workers=flags.workers) as controller:
        refuse_unfinished(controller.journal, flags.config)
        screen.note(f"Gathering facts from {len(controller.fleet.names)} hosts")
        plan = saved
        if not any(plan.steps()):
            screen.result({"run": None, "exit_code": 0}, "Nothing to do.")
            return 0
        refuse_irreversible(plan, frozenset(flags.accept))
        screen.confirm("Go ahead?")
        facts = gather_all(controller.fleet, databases_of(plan))
        refuse_drift(plan, facts)
        opened = controller.journal.open_run(plan, comment=flags.comment)
        keep_snapshot(controller.journal, facts, opened)
        return go_forward(controller, opened, policy(flags, plan), screen, or_unwind=flags.on_failure == "unwind")


def databases_of(plan: "Plan") -> dict[str, tuple[str, ...]]:
    """The databases that `plan` dumps, by host: those whose content belongs to the snapshot before it."""
    from .steps.databases import DumpDatabase

    found: dict[str, tuple[str, ...]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, DumpDatabase):
            found[host] = (*found.get(host, ()), step.database)
    return found


def _saved(flags: Flags, target: str) -> "Plan | None":
    """The saved plan that `target` names, None where it names a scenario."""
    from . import vocabulary  # noqa: F401
    from .core import codec
    from .core.plan import FORMAT, Plan

    if not target.endswith(".json"):
        return None
    if flags.limit or flags.serial:
        raise click.UsageError("a saved plan is executed verbatim: --limit and --serial belong to `plan`")
    try:
        text = Path(target).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{target}: {error.strerror}", hint="nornir-upgrade plan SCENARIO --out FILE saves one"
        ) from None
    plan = codec.loads(text, Plan, source=target)
    if plan.format != FORMAT:
        raise InvalidInput(f"{target}: a plan of format {plan.format}; this program reads {FORMAT}", hint="plan again")
    return plan


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

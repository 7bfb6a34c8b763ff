"""`nornir-upgrade`: takes a fleet forward. Verbs about runs are in `cli_runs`, those of the lab in `cli_lab`."""

from pathlib import Path
from typing import NoReturn

import click

from nornir_upgrade.console.exit_codes import EXIT_CODES, App, enter
from nornir_upgrade.console.options import (
    CONSENT,
    FLEET,
    GENERAL,
    REHEARSE,
    STOPPING,
    WAVES,
    Flags,
    before_the_verb,
    flags,
)
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.table import columns
from nornir_upgrade.core.errors import Blocked, Unreachable
from nornir_upgrade.core.transport.host import quote

from .lab import lab
from .runs import history, policy, report, resume, status, unwind, write

SOMETHING_TO_DO = 100

setting = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the scenario (repeatable); `scenarios NAME` lists them.",
)


@click.group(
    cls=App,
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
  nornir-upgrade scenarios
  nornir-upgrade scenarios service-by-service"""
)
@click.argument("name", default="")
@flags(*GENERAL)
def scenarios(flags: Flags, name: str) -> int:
    """What can be done: all scenarios, or one in detail.

    Scenarios are shipped, or lie as YAML files in the directory `scenarios` beside config.yaml. A file that is wrong is named, and
    the others are listed: exit code 10.
    """
    from nornir_upgrade.config import settings
    from nornir_upgrade.console.text import printable
    from nornir_upgrade.core import codec
    from nornir_upgrade.scenario import loader
    from nornir_upgrade.scenario import text as scenario_text

    directory = settings.read(flags.config).scenarios
    screen = Screen(flags)
    if name:
        found = loader.load(name, directory=directory)
        screen.result(codec.to_builtins(found), scenario_text.in_text(found))
        return 0
    every, wrong = loader.load_all(directory)
    documents = [{"name": one.name, "summary": one.summary, "source": one.source} for one in every]
    screen.result(
        {"scenarios": documents, "wrong": {name: one.message for name, one in wrong.items()}},
        columns(("scenario", "what it does"), [(one.name, one.summary) for one in every]),
        code=max((one.exit_code for one in wrong.values()), default=0),
    )
    for one in wrong.values():
        screen.warn(printable("\n  ".join(filter(None, (f"left out: {one.message}", one.hint)))))
    return max((one.exit_code for one in wrong.values()), default=0)


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade check service-by-service
  nornir-upgrade check service-by-service -o json
  nornir-upgrade check plan.json"""
)
@click.argument("target", metavar="PLAN.json|SCENARIO")
@setting
@flags(*GENERAL, *FLEET)
def check(flags: Flags, target: str, assignments: tuple[str, ...]) -> int:
    """Look for what stands in the way, and change nothing.

    Exit code 24 where a finding blocks, 30 where a host is not reached; advisory ones are told, and block nothing.
    """
    from nornir_upgrade.config import settings
    from nornir_upgrade.core import codec
    from nornir_upgrade.prepare.check import check as findings_of
    from nornir_upgrade.prepare.check import unreached
    from nornir_upgrade.prepare.prepare import blocking, findings_in_text, summary
    from nornir_upgrade.runner.session import looking

    from . import targets

    screen = Screen(flags)
    checked = targets.named(flags, target, assignments)
    with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        findings = findings_of(fleet, settings.read(flags.config), checked, screen.note)
    blocking_findings = blocking(findings)
    screen.result(
        {"findings": codec.to_builtins(findings), "blocking": len(blocking_findings)},
        "\n".join([findings_in_text(findings), summary(findings)]).strip(),
    )
    if lost := unreached(findings):
        screen.warn(f"not reached: {', '.join(lost)}; see to them, or leave them out with --limit")
        return Unreachable.exit_code
    return Blocked.exit_code if blocking_findings else 0


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade plan service-by-service
  nornir-upgrade plan service-by-service --serial 1,50% --out plan.json
  nornir-upgrade plan service-by-service --limit '@compute' --diff
  nornir-upgrade plan service-by-service --rehearse     # also try it on throw-away layers of the hosts"""
)
@click.argument("name", metavar="SCENARIO")
@setting
@click.option(
    "--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, for `run`."
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 100 where there is something to do.")
@flags(*GENERAL, *FLEET, *WAVES, *REHEARSE)
def plan(flags: Flags, name: str, assignments: tuple[str, ...], out: Path | None, detailed_exitcode: bool) -> int:
    """Say what would be done, and change nothing.

    Hosts for which the same is planned are shown together; points of no return are marked.
    """
    from nornir_upgrade.config import settings
    from nornir_upgrade.core import codec
    from nornir_upgrade.prepare.prepare import prepare
    from nornir_upgrade.report.plan_text import outline, text
    from nornir_upgrade.runner.session import looking

    from . import targets
    from .review import Reviewer

    screen = Screen(flags)
    wanted = targets.scenario(flags, name, assignments)
    with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        prepared = prepare(fleet, wanted, screen.note, settings.read(flags.config).state)
        made = prepared.allowed()
        reviewer = Reviewer(flags, fleet, screen)
        proofs = reviewer.prove(made, prepared.facts)
        if flags.rehearse:
            reviewer.rehearse(made, proofs)
    reviewer.show_findings(prepared.findings)
    shown = outline(made, prepared.facts, wanted, proofs)
    if out:
        write(out, codec.dumps(made, indent=2) + "\n")
    screen.result(codec.to_builtins(shown), text(shown, full=flags.diff))
    if out:
        screen.note(f"Saved as {out}; carry it out with: nornir-upgrade run {quote([str(out)])}")
    return SOMETHING_TO_DO if detailed_exitcode and made.waves else 0


@door.command(
    epilog="""\b
Examples:
  nornir-upgrade run plan.json
  nornir-upgrade run service-by-service --yes --on-failure unwind
  nornir-upgrade run plan.json --rehearse               # first on a throw-away layer of each host
  nornir-upgrade run plan.json --stop-after 1           # prepare, and touch no service yet
  nornir-upgrade run service-by-service --serial 1,50% --stop-after 2"""
)
@click.argument("target", metavar="PLAN.json|SCENARIO")
@setting
@click.option(
    "--force", is_flag=True, help="Do not ask whether to go past advisory findings; blocking ones always block."
)
@flags(*GENERAL, *FLEET, *WAVES, *CONSENT, *STOPPING, *REHEARSE)
def run(flags: Flags, target: str, assignments: tuple[str, ...]) -> int:
    """Execute a saved plan, or plan and execute a scenario.

    A saved plan is executed verbatim, or refused where a host is no longer what it was planned for.
    """
    from nornir_upgrade.planner.reversibility import refuse_no_way_back
    from nornir_upgrade.prepare.rehearse import rehearse_or_refuse, without_way_back
    from nornir_upgrade.runner.execute import go_forward
    from nornir_upgrade.runner.keep import keep_old_packages
    from nornir_upgrade.runner.session import (
        at_work,
        concerned,
        databases_before,
        gather_all,
        keep_snapshot,
        refuse_drift,
        refuse_irreversible,
        refuse_unfinished,
        refuse_unknown,
    )

    from . import targets
    from .review import Reviewer

    screen = Screen(flags)
    wanted = targets.named(flags, target, assignments)
    refuse_unknown(flags.config, flags.accept, flags.limit)
    screen.require_consent()
    with at_work(flags.config, f"nornir-upgrade run {target}", limit=flags.limit, workers=flags.workers) as session:
        refuse_unfinished(session.journal, flags.config)
        made, proofs = Reviewer(flags, session.fleet, screen).review(wanted)
        if not any(made.steps()):
            screen.result({"run": None, "exit_code": 0}, "Nothing to do.")
            return 0
        refuse_irreversible(made, frozenset(flags.accept))
        refuse_no_way_back(proofs, frozenset(flags.accept))
        screen.confirm("Go ahead?")
        facts = gather_all(session.fleet, databases_before(made, session.fleet), concerned(made))
        refuse_drift(made, facts)
        keep_old_packages(session, made, facts, frozenset(flags.accept), screen)
        if flags.rehearse:
            rehearse_or_refuse(session.fleet, made, session.store, screen, forward_only=without_way_back(proofs))
        opened = session.journal.open_run(made, comment=flags.comment)
        keep_snapshot(session.journal, facts, opened)
        session.journal.consent(opened.id, flags.accept)
        return go_forward(session, opened, policy(flags, made), screen, or_unwind=flags.on_failure == "unwind")


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

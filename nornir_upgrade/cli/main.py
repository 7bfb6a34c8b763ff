"""Main: the command line `nornir-upgrade` and its verbs scenarios, check, plan and run. Other verbs are in `runs` and `lab`."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nornir_upgrade.console.exit_codes import EXIT_CODES, App, run_app
from nornir_upgrade.console.options import (
    CONSENT,
    FLEET,
    GENERAL,
    REHEARSE,
    STOPPING,
    WAVES,
    Flags,
    flags,
    make_defaults,
)
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.table import columns
from nornir_upgrade.core.errors import Blocked, Unreachable
from nornir_upgrade.core.transport.host import quote

from .lab import lab
from .runs import history, policy_of, report, resume, status, unwind, write

if TYPE_CHECKING:
    from nornir_upgrade.core.plan import Plan
    from nornir_upgrade.core.run import Run
    from nornir_upgrade.planner.reversibility import Reversibility
    from nornir_upgrade.report.plan_text import Outline
    from nornir_upgrade.runner.session import Session

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

To go back from a finished run, use the command `rollback`.""",
)
@click.version_option(package_name="nornir-upgrade")
@flags(*GENERAL)
@click.pass_context
def app(ctx: click.Context, _: Flags) -> None:
    """Upgrade a fleet of hosts from one release to the next, with a way back."""
    make_defaults(ctx)


@app.command(
    epilog="""\b
Examples:
  nornir-upgrade scenarios
  nornir-upgrade scenarios service-by-service"""
)
@click.argument("name", default="")
@flags(*GENERAL)
def scenarios(flags: Flags, name: str) -> int:
    """List all scenarios, or show one in detail.

    Scenarios are shipped with the program, or are YAML files in the directory `scenarios` beside config.yaml. An invalid file is
    named on stderr, the others are listed, and the exit code is 10.
    """
    from nornir_upgrade.config import settings
    from nornir_upgrade.console.text import printable
    from nornir_upgrade.core import codec
    from nornir_upgrade.scenario import loader
    from nornir_upgrade.scenario.text import scenario_in_text

    directory = settings.read(flags.config).scenarios
    screen = Screen(flags)
    if name:
        scenario = loader.load(name, directory=directory)
        screen.result(codec.to_builtins(scenario), scenario_in_text(scenario))
        return 0
    valid, refusals = loader.load_all(directory)
    exit_code = max((refusal.exit_code for refusal in refusals.values()), default=0)
    documents = [{"name": one.name, "summary": one.summary, "source": one.source} for one in valid]
    screen.result(
        {"scenarios": documents, "wrong": {name: refusal.message for name, refusal in refusals.items()}},
        columns(("scenario", "what it does"), [(one.name, one.summary) for one in valid]),
        code=exit_code,
    )
    for refusal in refusals.values():
        screen.warn(printable("\n  ".join(filter(None, (f"left out: {refusal.message}", refusal.hint)))))
    return exit_code


@app.command(
    epilog="""\b
Examples:
  nornir-upgrade check service-by-service
  nornir-upgrade check service-by-service -o json
  nornir-upgrade check plan.json"""
)
@click.argument("name", metavar="PLAN.json|SCENARIO")
@setting
@flags(*GENERAL, *FLEET)
def check(flags: Flags, name: str, assignments: tuple[str, ...]) -> int:
    """Run the preflight alone: list what blocks a scenario or a saved plan.

    Nothing is changed. The exit code is 24 if a finding blocks, and 30 if a host cannot be reached. Advisory findings are listed
    and block nothing.
    """
    from nornir_upgrade.config import settings
    from nornir_upgrade.core import codec
    from nornir_upgrade.prepare.check import check_target, unreached
    from nornir_upgrade.prepare.prepare import blocking, findings_in_text, summary
    from nornir_upgrade.runner.session import open_fleet

    from . import targets

    screen = Screen(flags)
    target = targets.named(flags, name, assignments)
    with open_fleet(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        findings = check_target(fleet, settings.read(flags.config), target, screen.note)
    blocking_findings = blocking(findings)
    screen.result(
        {"findings": codec.to_builtins(findings), "blocking": len(blocking_findings)},
        "\n".join([findings_in_text(findings), summary(findings)]).strip(),
    )
    if lost := unreached(findings):
        screen.warn(f"not reached: {', '.join(lost)}; see to them, or leave them out with --limit")
        return Unreachable.exit_code
    return Blocked.exit_code if blocking_findings else 0


@app.command(
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
    "--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan in FILE, for `run`."
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 100 if there is something to do.")
@flags(*GENERAL, *FLEET, *WAVES, *REHEARSE)
def plan(flags: Flags, name: str, assignments: tuple[str, ...], out: Path | None, detailed_exitcode: bool) -> int:
    """Show what a run would do, host by host.

    Nothing is changed. Hosts with the same steps are shown together. Points of no return are marked.
    """
    from nornir_upgrade.config import settings
    from nornir_upgrade.core import codec
    from nornir_upgrade.prepare.prepare import prepare
    from nornir_upgrade.report.plan_text import outline_of
    from nornir_upgrade.runner.session import open_fleet

    from . import targets
    from .review import Reviewer

    screen = Screen(flags)
    scenario = targets.scenario(flags, name, assignments)
    with open_fleet(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        prepared = prepare(fleet, scenario, screen.note, settings.read(flags.config).state)
        plan = prepared.allowed()
        reviewer = Reviewer(flags, fleet, screen)
        proofs = reviewer.prove(plan, prepared.facts)
        if flags.rehearse:
            reviewer.rehearse(plan, proofs)
    reviewer.show_findings(prepared.findings)
    if out:
        write(out, codec.dumps(plan, indent=2) + "\n")
    _show_outline(outline_of(plan, prepared.facts, scenario, proofs), flags, screen)
    if out:
        screen.note(f"Saved as {out}; run it with: nornir-upgrade run {quote([str(out)])}")
    return SOMETHING_TO_DO if detailed_exitcode and plan.waves else 0


def _show_outline(outline: "Outline", flags: Flags, screen: Screen) -> None:
    from nornir_upgrade.core import codec
    from nornir_upgrade.report.plan_text import plan_in_text

    screen.result(codec.to_builtins(outline), plan_in_text(outline, full=flags.diff))


@app.command(
    epilog="""\b
Examples:
  nornir-upgrade run plan.json
  nornir-upgrade run service-by-service --yes --on-failure unwind
  nornir-upgrade run plan.json --rehearse               # first on a throw-away layer of each host
  nornir-upgrade run plan.json --stop-after 1           # prepare, and touch no service yet
  nornir-upgrade run service-by-service --serial 1,50% --stop-after 2"""
)
@click.argument("name", metavar="PLAN.json|SCENARIO")
@setting
@click.option("--force", is_flag=True, help="Accept advisory findings without asking; blocking ones always block.")
@flags(*GENERAL, *FLEET, *WAVES, *CONSENT, *STOPPING, *REHEARSE)
def run(flags: Flags, name: str, assignments: tuple[str, ...]) -> int:
    """Execute a saved plan, or plan a scenario and execute it.

    A saved plan is executed verbatim. It is refused if the packages of a host have changed since it was made.
    """
    from nornir_upgrade.runner.execute import go_forward
    from nornir_upgrade.runner.session import open_session, refuse_unfinished, refuse_unknown_names

    from . import targets
    from .review import Reviewer

    screen = Screen(flags)
    target = targets.named(flags, name, assignments)
    refuse_unknown_names(flags.config, flags.accept, flags.limit)
    screen.require_consent()
    with open_session(flags.config, f"nornir-upgrade run {name}", limit=flags.limit, workers=flags.workers) as session:
        refuse_unfinished(session.journal, flags.config)
        plan, proofs = Reviewer(flags, session.fleet, screen).review(target)
        if not any(plan.steps()):
            screen.result({"run": None, "exit_code": 0}, "Nothing to do.")
            return 0
        _refuse_without_consent(plan, proofs, flags)
        screen.confirm("Go ahead?")
        run = _open_run(session, plan, proofs, flags, screen)
        return go_forward(session, run, policy_of(flags, plan), screen, or_unwind=flags.on_failure == "unwind")


def _refuse_without_consent(plan: "Plan", proofs: "tuple[Reversibility, ...]", flags: Flags) -> None:
    from nornir_upgrade.planner.reversibility import refuse_no_way_back
    from nornir_upgrade.runner.session import refuse_irreversible

    refuse_irreversible(plan, frozenset(flags.accept))
    refuse_no_way_back(proofs, frozenset(flags.accept))


def _open_run(
    session: "Session", plan: "Plan", proofs: "tuple[Reversibility, ...]", flags: Flags, screen: Screen
) -> "Run":
    """The opened run of `plan`. Its old packages and its snapshot are kept, and it is rehearsed if the flags ask for it."""
    from nornir_upgrade.prepare.rehearse import rehearse_or_refuse, without_way_back
    from nornir_upgrade.runner.keep import keep_old_packages
    from nornir_upgrade.runner.session import (
        concerned_hosts,
        databases_before,
        gather_all,
        keep_snapshot,
        refuse_drift,
    )

    facts = gather_all(session.fleet, databases_before(plan, session.fleet), concerned_hosts(plan))
    refuse_drift(plan, facts)
    keep_old_packages(session, plan, facts, frozenset(flags.accept), screen)
    if flags.rehearse:
        rehearse_or_refuse(session.fleet, plan, session.store, screen, forward_only=without_way_back(proofs))
    run = session.journal.open_run(plan, comment=flags.comment)
    keep_snapshot(session.journal, facts, run)
    session.journal.consent(run.id, flags.accept)
    return run


app.add_command(resume)
app.add_command(unwind)
app.add_command(status)
app.add_command(history)
app.add_command(report)
app.add_command(lab)


def main() -> NoReturn:
    """The console script."""
    run_app(app)


if __name__ == "__main__":
    main()

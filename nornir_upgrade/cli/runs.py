"""Verbs about runs: resume, unwind, status, history, report."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nornir_upgrade.console.options import ASSENT, CONSENT, GENERAL, STOPPING, WORKERS, Flags, flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.streams import put
from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import one_line
from nornir_upgrade.core.errors import InvalidInput, UnfinishedRun

if TYPE_CHECKING:
    from nornir_upgrade.core.engine import Policy
    from nornir_upgrade.core.journal import Journal
    from nornir_upgrade.core.plan import Plan
    from nornir_upgrade.core.run import Run
    from nornir_upgrade.runner.session import Session
    from nornir_upgrade.runner.spare_data import SparedData


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade resume
  nornir-upgrade resume 20260412-101500-3f2a --yes"""
)
@click.argument("name", metavar="[RUN]", default="")
@flags(*GENERAL, *WORKERS, *ASSENT, *STOPPING)
def resume(flags: Flags, name: str) -> int:
    """Continue an unfinished run.

    RUN is an id, its beginning, `last` or `last-1`; by default, the last unfinished run. Completed steps stay as they are; an
    interrupted step is repeated. If a job still runs on a host, it is followed there. Before anything more is changed, the
    remaining hosts must answer, and the data kept for the way back must be undamaged. Lost old packages are fetched again if
    they can be obtained. At its end, a way back is compared with its announcement, as `rollback apply` does. If something
    differs, the exit code is 5.
    """
    from nornir_upgrade.runner.execute import go_forward
    from nornir_upgrade.runner.resume_check import refuse_unready
    from nornir_upgrade.runner.session import open_session, refuse_unknown_hosts, refuse_unknown_names

    screen = Screen(flags)
    refuse_unknown_names(flags.config, flags.accept)
    screen.require_consent()
    with open_session(flags.config, "nornir-upgrade resume", workers=flags.workers) as session:
        run = _unfinished(session.journal, name)
        _refuse_being_undone(run, session.journal)
        if run.status != "open":
            return _nothing_to_do(screen, run)
        refuse_unknown_hosts(run.plan, session.fleet.names)
        screen.note(f"Run {run.id}: {run.plan.direction} {one_line(run.plan.origin)}")
        screen.confirm("Go on with it?")
        if run.plan.direction != "forward":
            return _continue_back(session, run, flags, screen)
        policy = policy_of(flags, run.plan)
        refuse_unready(session, run, flags.accept, policy.max_fail, screen)
        session.journal.consent(run.id, sorted(policy.consent - run.consent))
        return go_forward(session, run, policy, screen, or_unwind=flags.on_failure == "unwind")


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade unwind
  nornir-upgrade unwind 20260412-101500-3f2a --accept-no-way-back cmp1"""
)
@click.argument("name", metavar="[RUN]", default="")
@flags(*GENERAL, *WORKERS, *CONSENT)
def unwind(flags: Flags, name: str) -> int:
    """Undo an unfinished run.

    RUN is an id, its beginning, `last` or `last-1`; by default, the last unfinished run. Its steps are undone in reverse order.
    Databases that this run migrated are restored from its dumps. Packages that it installed are purged. If such a package has
    data by now, it is removed and its data stay. If the run is already being undone, the undoing continues. To go back from a
    run that succeeded, use `rollback apply`. A run of `rollback apply` cannot be undone, because the packages that it removes
    are in no escrow: `resume` it, or start it again.
    """
    from nornir_upgrade.report.summary import undoing
    from nornir_upgrade.runner.session import open_session, refuse_unknown_hosts, refuse_unknown_names

    screen = Screen(flags)
    refuse_unknown_names(flags.config, flags.accept)
    screen.require_consent()
    with open_session(flags.config, "nornir-upgrade unwind", workers=flags.workers) as session:
        run = _unfinished(session.journal, name)
        if run.status in ("undone", "untouched"):
            return _nothing_to_do(screen, run)
        _refuse_ended(run)
        _refuse_way_back(run, flags)
        refuse_unknown_hosts(run.plan, session.fleet.names)
        under_way = run if run.plan.direction == "unwind" else undoing(run, session.journal.runs())
        if under_way:
            _show_undoing(screen, under_way)
            screen.confirm("Go on with it?")
            return _continue_back(session, under_way, flags, screen)
        return _undo(session, run, flags, screen)


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade status
  nornir-upgrade status last-1 -o json"""
)
@click.argument("name", metavar="[RUN]", default="last")
@flags(*GENERAL)
def status(flags: Flags, name: str) -> None:
    """Show the state of a run.

    Shown are its waves, hosts and failures, and the commands that continue it or undo it. RUN is an id, its beginning, `last`
    or `last-1`. This verb only reads: it works while another controller is at work.
    """
    from dataclasses import replace

    from nornir_upgrade.config import settings
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.journal import at_work
    from nornir_upgrade.report.summary import recap_of, unfinished
    from nornir_upgrade.report.summary_text import commands_in_text, recap_in_text, waves_in_text
    from nornir_upgrade.runner.session import open_journal

    screen = Screen(flags)
    owner = at_work(settings.read(flags.config).journal)
    with open_journal(flags.config) as journal:
        runs = journal.runs()
        if not runs and name == "last":
            screen.result({"run": None}, "No run yet.")
            return
        recap = recap_of(journal.run(name), flags.config, runs)
    if owner and recap.run in [run.id for run in unfinished(runs)[-1:]]:
        recap = replace(recap, at_work=owner)
    parts = [waves_in_text(recap), recap_in_text(recap), commands_in_text(recap)]
    screen.result(codec.to_builtins(recap), "\n\n".join(part for part in parts if part))


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade history
  nornir-upgrade history -o json"""
)
@flags(*GENERAL)
def history(flags: Flags) -> None:
    """List all runs, oldest first.

    `last` and `last-1` count from the end of this list. This verb only reads: it works while another controller is at work.
    """
    from nornir_upgrade.core import codec
    from nornir_upgrade.report.summary import origin_in_words, recap_of
    from nornir_upgrade.runner.session import open_journal

    with open_journal(flags.config) as journal:
        runs = journal.runs()
    recaps = [recap_of(run, flags.config, runs) for run in runs]
    head = ("run", "opened", "direction", "of", "hosts", "status", "comment")
    rows = [
        (one.run, local_time(one.opened), one.direction, origin_in_words(one), len(one.hosts), one.status, one.comment)
        for one in recaps
    ]
    documents = [codec.to_builtins(recap) for recap in recaps]
    Screen(flags).result({"runs": documents}, columns(head, rows) if rows else "No run yet.")


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade report
  nornir-upgrade report last-1 --out /tmp/upgrade.html"""
)
@click.argument("name", metavar="[RUN]", default="last")
@click.option("--out", metavar="FILE", help="File to write; - is stdout. Default: report-RUN.html")
@flags(*GENERAL)
def report(flags: Flags, name: str, out: str | None) -> None:
    """Write an HTML report of a run.

    The page needs no other file. It shows every step with the state before and after, failures, and durations.
    """
    from nornir_upgrade.report.html import render
    from nornir_upgrade.runner.session import open_journal

    screen = Screen(flags)
    with open_journal(flags.config) as journal:
        run = journal.run(name)
        page = render(run, flags.config, journal.runs())
    if out == "-":
        put(page, end=False)
        return
    path = Path(out or f"report-{run.id}.html")
    write(path, page)
    screen.result({"run": run.id, "report": str(path)}, f"{path}")


def write(path: Path, text: str) -> None:
    """Afterwards `path` holds `text`. Raises `InvalidInput` if it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}", hint="name another file with --out") from None


def local_time(moment: str) -> str:
    """A moment of the journal (UTC, ISO 8601) in this machine's time zone; '' for ''."""
    from datetime import datetime

    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def policy_of(flags: Flags, plan: "Plan") -> "Policy":
    """The flags that stop a run of `plan`, and its consent."""
    from nornir_upgrade.core.engine import Policy

    return Policy(
        max_fail=flags.max_fail.of(len(plan.hosts)), stop_after=flags.stop_after, consent=frozenset(flags.accept)
    )


def _unfinished(journal: "Journal", name: str) -> "Run":
    """The run called `name`; for '' the last unfinished one. Raises `UnknownName`, and `InvalidInput` if none is unfinished."""
    from nornir_upgrade.report.summary import unfinished

    if name:
        return journal.run(name)
    if not (runs := unfinished(journal.runs())):
        raise InvalidInput("no run is unfinished", hint="nornir-upgrade history lists all runs")
    return runs[-1]


def _undo(session: "Session", run: "Run", flags: Flags, screen: Screen) -> int:
    """Plan the undoing of `run`, ask, and execute it; returns the exit code."""
    from nornir_upgrade.runner.execute import go_back, open_undoing, plan_undoing

    spared = plan_undoing(session, run.id, frozenset(flags.accept))
    _show_plan_of_undoing(screen, spared, run)
    screen.confirm("Undo it?")
    return go_back(session, open_undoing(session.journal, run.id, spared.plan, flags.comment), screen)


def _continue_back(session: "Session", run: "Run", flags: Flags, screen: Screen) -> int:
    """Continue a run that undoes another or leads to a snapshot; returns the exit code."""
    from nornir_upgrade.runner.continuation import continuation
    from nornir_upgrade.runner.execute import go_back

    continue_run = continuation(run)
    return continue_run(session, run, flags, screen) if continue_run else go_back(session, run, screen)


def _nothing_to_do(screen: Screen, run: "Run") -> int:
    screen.result({"run": run.id, "status": run.status}, f"Run {run.id}: nothing to do, it is {run.status}.")
    return 0


def _refuse_being_undone(run: "Run", journal: "Journal") -> None:
    from nornir_upgrade.report.summary import undoing

    if child := undoing(run, journal.runs()):
        raise UnfinishedRun(
            f"run {run.id} is being undone by run {child.id}, and can only continue in that direction",
            hint=f"nornir-upgrade resume {child.id}",
        )


def _refuse_ended(run: "Run") -> None:
    if run.status != "open":
        raise InvalidInput(
            f"run {run.id} is not unfinished: it {run.status}",
            hint=f"to go back from it: rollback apply --run {run.id}",
        )


def _refuse_way_back(run: "Run", flags: Flags) -> None:
    """Raises `InvalidInput` for a way back: the newer packages that it removes are in no escrow."""
    from nornir_upgrade.report.summary import next_commands

    if run.plan.direction == "rollback":
        commands = next_commands(run, flags.config)
        raise InvalidInput(
            f"run {run.id} is a way back to snapshot {run.plan.origin}, and cannot be undone: "
            "the packages that it removes are in no escrow",
            hint=f"go on with it: {commands.go_on}\n  or start it again: {commands.go_back}",
        )


def _show_undoing(screen: Screen, run: "Run") -> None:
    of = f"Run {run.parent} is being undone already, by" if run.parent else "This is"
    screen.note(f"{of} run {run.id} ({run.plan.direction} {one_line(run.plan.origin)}). That run continues.")


def _show_plan_of_undoing(screen: Screen, spared: "SparedData", run: "Run") -> None:
    from nornir_upgrade.steps.databases import RestoreDatabase

    plan = spared.plan
    for line in (*spared.purged, *spared.lines):
        screen.warn(line)
    hosts = ", ".join(plan.hosts) or "no host"
    screen.note(f"Run {run.id} ({one_line(run.plan.origin)}) will be undone on: {hosts}")
    databases = sorted(
        {f"{step.database} on {host}" for _, host, step in plan.steps() if isinstance(step, RestoreDatabase)}
    )
    if databases:
        screen.note(f"Databases that will be restored from its dumps: {', '.join(databases)}")

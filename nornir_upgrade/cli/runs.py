"""Verbs about runs: resume, unwind, status, history, report."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nornir_upgrade.console.options import ASSENT, CONSENT, GENERAL, STOPPING, WORKERS, Flags, flags
from nornir_upgrade.console.output import Screen, columns
from nornir_upgrade.console.streams import put
from nornir_upgrade.console.text import one_line
from nornir_upgrade.core.errors import InvalidInput, UnfinishedRun

if TYPE_CHECKING:
    from nornir_upgrade.core.engine import Policy
    from nornir_upgrade.core.journal import Journal
    from nornir_upgrade.core.plan import Plan
    from nornir_upgrade.core.run import Run
    from nornir_upgrade.runner.session import Controller
    from nornir_upgrade.runner.spare_data import Spared


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade resume
  nornir-upgrade resume 20260412-101500-3f2a --yes"""
)
@click.argument("run", default="")
@flags(*GENERAL, *WORKERS, *ASSENT, *STOPPING)
def resume(flags: Flags, run: str) -> int:
    """Go on with an unfinished run.

    RUN is an id, its beginning, `last` or `last-1`; without it, the last unfinished one. What was done
    stays done; a step that was cut off is done again. A job that still runs on a host is followed there.
    Before anything more is touched: the hosts ahead must answer, and what the run kept for its way back must be whole
    still. Old packages that were lost are kept again where they are to be had. A way back is compared at its end with what
    was announced of it, as `rollback apply` does: exit code 5 where something differs.
    """
    from nornir_upgrade.report.summary import undoing
    from nornir_upgrade.runner.execute import go_forward
    from nornir_upgrade.runner.resume_check import refuse_unready
    from nornir_upgrade.runner.session import at_work, refuse_strangers, refuse_unknown

    screen = Screen(flags)
    refuse_unknown(flags.config, flags.accept)
    screen.require_consent()
    with at_work(flags.config, "nornir-upgrade resume", workers=flags.workers) as controller:
        found = _unfinished(controller.journal, run)
        if child := undoing(found, controller.journal.runs()):
            raise UnfinishedRun(
                f"run {found.id} is being undone by run {child.id}, and can only go on in that direction",
                hint=f"nornir-upgrade resume {child.id}",
            )
        if found.status != "open":
            return _nothing_to_do(screen, found)
        refuse_strangers(found.plan, controller.fleet.names)
        screen.note(f"Run {found.id}: {found.plan.direction} {one_line(found.plan.origin)}")
        screen.confirm("Go on with it?")
        if found.plan.direction != "forward":
            return _back(controller, found, flags, screen)
        rules = policy(flags, found.plan)
        refuse_unready(controller, found, flags.accept, rules.max_fail, screen)
        controller.journal.consent(found.id, sorted(rules.consent - found.consent))
        return go_forward(controller, found, rules, screen, or_unwind=flags.on_failure == "unwind")


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade unwind
  nornir-upgrade unwind 20260412-101500-3f2a --accept-no-way-back cmp1"""
)
@click.argument("run", default="")
@flags(*GENERAL, *WORKERS, *CONSENT)
def unwind(flags: Flags, run: str) -> int:
    """Undo an unfinished run.

    RUN is an id, its beginning, `last` or `last-1`; without it, the last unfinished one. Its journal is read backwards.
    Databases that this very run migrated are restored from the dumps that it made. Packages that it brought are purged, but for
    those that have data by now, which are removed only. To go back from a run that ended
    well, use `rollback apply`. A run that is being undone already goes on in that direction. A way back of `rollback apply` is
    not undone, for nobody kept the packages that it takes away: `resume` it, or begin it anew.
    """
    from nornir_upgrade.report.summary import undoing
    from nornir_upgrade.runner.execute import go_back, open_undoing, plan_undoing
    from nornir_upgrade.runner.session import at_work, refuse_strangers, refuse_unknown

    screen = Screen(flags)
    refuse_unknown(flags.config, flags.accept)
    screen.require_consent()
    with at_work(flags.config, "nornir-upgrade unwind", workers=flags.workers) as controller:
        found = _unfinished(controller.journal, run)
        if found.status in ("undone", "untouched"):
            return _nothing_to_do(screen, found)
        if found.status != "open":
            raise InvalidInput(
                f"run {found.id} is not unfinished: it {found.status}",
                hint=f"to go back from it: rollback apply --run {found.id}",
            )
        _refuse_way_back(found, flags)
        refuse_strangers(found.plan, controller.fleet.names)
        under_way = found if found.plan.direction == "unwind" else undoing(found, controller.journal.runs())
        if under_way:
            _tell_who_undoes(screen, under_way)
            screen.confirm("Go on with it?")
            return _back(controller, under_way, flags, screen)
        planned = plan_undoing(controller, found.id, frozenset(flags.accept))
        _tell_what_is_undone(screen, planned, found)
        screen.confirm("Undo it?")
        return go_back(controller, open_undoing(controller.journal, found.id, planned.plan, flags.comment), screen)


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade status
  nornir-upgrade status last-1 -o json"""
)
@click.argument("run", default="last")
@flags(*GENERAL)
def status(flags: Flags, run: str) -> None:
    """Where a run stands.

    Its waves, its hosts, what failed, and the commands that go on and back. RUN is an id, its beginning, `last` or `last-1`.
    Only reads, and so works while another controller is at work.
    """
    from dataclasses import replace

    from nornir_upgrade.config import settings
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.journal import at_work
    from nornir_upgrade.report.summary import recap, unfinished
    from nornir_upgrade.report.summary_text import recap_in_text, waves_in_text, ways_in_text
    from nornir_upgrade.runner.session import reading

    screen = Screen(flags)
    owner = at_work(settings.read(flags.config).journal)
    with reading(flags.config) as journal:
        runs = journal.runs()
        if not runs and run == "last":
            screen.result({"run": None}, "No run yet.")
            return
        found = recap(journal.run(run), flags.config, runs)
    if owner and found.run in [one.id for one in unfinished(runs)[-1:]]:
        found = replace(found, at_work=owner)
    parts = [waves_in_text(found), recap_in_text(found), ways_in_text(found)]
    screen.result(codec.to_builtins(found), "\n\n".join(part for part in parts if part))


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade history
  nornir-upgrade history -o json"""
)
@flags(*GENERAL)
def history(flags: Flags) -> None:
    """All runs, oldest first.

    `last` and `last-1` count from the end of this list. Only reads, and so works while another controller is at work.
    """
    from nornir_upgrade.core import codec
    from nornir_upgrade.report.summary import aim, recap
    from nornir_upgrade.runner.session import reading

    with reading(flags.config) as journal:
        runs = journal.runs()
    recaps = [recap(run, flags.config, runs) for run in runs]
    head = ("run", "opened", "direction", "of", "hosts", "status", "comment")
    rows = [
        (one.run, local_time(one.opened), one.direction, aim(one), len(one.hosts), one.status, one.comment)
        for one in recaps
    ]
    documents = [codec.to_builtins(one) for one in recaps]
    Screen(flags).result({"runs": documents}, columns(head, rows) if rows else "No run yet.")


@click.command(
    epilog="""\b
Examples:
  nornir-upgrade report
  nornir-upgrade report last-1 --out /tmp/upgrade.html"""
)
@click.argument("run", default="last")
@click.option("--out", metavar="FILE", help="Where to write it; - is stdout. Default: report-RUN.html")
@flags(*GENERAL)
def report(flags: Flags, run: str, out: str | None) -> None:
    """Write one HTML page about a run.

    It needs no other file: every step with what was before and what after, failures, times.
    """
    from nornir_upgrade.report.html import render
    from nornir_upgrade.runner.session import reading

    screen = Screen(flags)
    with reading(flags.config) as journal:
        found = journal.run(run)
        page = render(found, flags.config, journal.runs())
    if out == "-":
        put(page, end=False)
        return
    path = Path(out or f"report-{found.id}.html")
    write(path, page)
    screen.result({"run": found.id, "report": str(path)}, f"{path}")


def write(path: Path, text: str) -> None:
    """Afterwards `path` holds `text`. Raises `InvalidInput` where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}", hint="name another file with --out") from None


def local_time(moment: str) -> str:
    """A moment of the journal (UTC, ISO 8601) as this machine's clock shows it."""
    from datetime import datetime

    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def policy(flags: Flags, plan: "Plan") -> "Policy":
    """When a run of `plan` stops, after the flags."""
    from nornir_upgrade.core.engine import Policy

    return Policy(
        max_fail=flags.max_fail.of(len(plan.hosts)), stop_after=flags.stop_after, consent=frozenset(flags.accept)
    )


def _unfinished(journal: "Journal", name: str) -> "Run":
    """The run called `name`, or the last unfinished one. Raises `UnknownName`, and `InvalidInput` where none is unfinished."""
    from nornir_upgrade.report.summary import unfinished

    if name:
        return journal.run(name)
    if not (found := unfinished(journal.runs())):
        raise InvalidInput("no run is unfinished", hint="nornir-upgrade history lists all runs")
    return found[-1]


def _back(controller: "Controller", run: "Run", flags: Flags, screen: Screen) -> int:
    """Go on with a run that takes another back, or leads to a snapshot; returns the exit code."""
    from nornir_upgrade.runner.continuation import going_on
    from nornir_upgrade.runner.execute import go_back

    go_on = going_on(run)
    return go_on(controller, run, flags, screen) if go_on else go_back(controller, run, screen)


def _nothing_to_do(screen: Screen, run: "Run") -> int:
    screen.result({"run": run.id, "status": run.status}, f"Run {run.id}: nothing to do, it is {run.status}.")
    return 0


def _refuse_way_back(run: "Run", flags: Flags) -> None:
    """Returns where `run` can be undone by its journal. Raises `InvalidInput` for a way back: newer packages are in no escrow."""
    from nornir_upgrade.report.summary import ways_out

    if run.plan.direction == "rollback":
        ways = ways_out(run, flags.config)
        raise InvalidInput(
            f"run {run.id} is a way back to snapshot {run.plan.origin}, and cannot be undone: "
            "nobody kept the packages that it takes away",
            hint=f"go on with it: {ways.go_on}\n  or begin it anew: {ways.go_back}",
        )


def _tell_who_undoes(screen: Screen, run: "Run") -> None:
    of = f"Run {run.parent} is being undone already, by" if run.parent else "This is"
    screen.note(f"{of} run {run.id} ({run.plan.direction} {one_line(run.plan.origin)}). That one goes on.")


def _tell_what_is_undone(screen: Screen, planned: "Spared", run: "Run") -> None:
    from nornir_upgrade.steps.databases import RestoreDatabase

    plan = planned.plan
    for line in (*planned.purged, *planned.lines):
        screen.warn(line)
    hosts = ", ".join(plan.hosts) or "no host"
    screen.note(f"Run {run.id} ({one_line(run.plan.origin)}) will be undone on: {hosts}")
    databases = sorted(
        {f"{step.database} on {host}" for _, host, step in plan.steps() if isinstance(step, RestoreDatabase)}
    )
    if databases:
        screen.note(f"Databases that will be restored from the dumps that it made: {', '.join(databases)}")

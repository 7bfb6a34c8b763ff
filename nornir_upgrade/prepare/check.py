"""Check: every finding that blocks a scenario or a saved plan, those about the controller included. Changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from nornir_upgrade.config.settings import Settings
from nornir_upgrade.core.journal import at_work
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.finding import Finding
from nornir_upgrade.preflight.findings import in_order
from nornir_upgrade.preflight.unreachable import UNREACHED
from nornir_upgrade.report.summary import next_commands, unfinished
from nornir_upgrade.runner.session import open_journal
from nornir_upgrade.scenario.model import Scenario

from .prepare import prepare_forgiving
from .saved_plan import prepare_saved

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


def check_target(
    fleet: "NornirFleet", settings: Settings, target: Scenario | Plan, note: Callable[[str], None]
) -> tuple[Finding, ...]:
    """All findings that a run of `target` would meet now. Raises what the planner refuses."""
    if isinstance(target, Plan):
        prepared = prepare_saved(fleet, target, settings, note, forgiving=True)
    else:
        prepared = prepare_forgiving(fleet, target, note, settings.state)
    return in_order([*_other_runs(settings), *prepared.findings])


def unreached(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The hosts that could not be asked."""
    return tuple(dict.fromkeys(finding.host for finding in findings if finding.key in UNREACHED.values()))


def _other_runs(settings: Settings) -> Iterator[Finding]:
    """The findings about other controllers and unfinished runs. Without a journal there was no run."""
    if not settings.journal.exists():
        return
    if owner := at_work(settings.journal):
        text = f"another controller is at work: {owner}"
        yield Finding("journal-locked", "", "blocking", text, "wait for it to end, or interrupt it there")
    with open_journal(settings.given) as journal:
        runs = journal.runs()
    for run in unfinished(runs)[-1:]:
        ways = next_commands(run, settings.given, runs)
        text = f"run {run.id} ({run.plan.origin}) is unfinished"
        yield Finding("run-unfinished", "", "blocking", text, ", or: ".join(filter(None, (ways.go_on, ways.go_back))))

"""Execution: a run executed with progress on stderr, and its result on stdout. For both command lines."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from nornir_upgrade.console import progress, signals
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core import codec
from nornir_upgrade.core.engine import Outcome, Policy, Verdict, execute
from nornir_upgrade.core.errors import Irreversible, RunStopped, UndoFailed, Unwound
from nornir_upgrade.core.facts.gather import package_digest
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import Run, unwind
from nornir_upgrade.report.summary import Recap, recap_of
from nornir_upgrade.report.summary_text import commands_in_text, recap_in_text

from .keep import mend_copies
from .session import Session
from .spare_data import SparedData, spare_data

_SECONDS_TO_JOURNAL = 5.0
_STOPPING = (
    "Stopping: no further step is started. Running steps end first; then the run can be resumed or unwound.\n"
    "A second Ctrl-C stops at once: jobs continue to run on the hosts, and `resume` follows them."
)


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an execution. `signal_code` is the exit code due to a signal, 0 without one."""

    outcome: Outcome
    signal_code: int = 0


def execute_run(
    session: Session, run: Run, policy: Policy, screen: Screen, judge: Callable[[], Verdict] | None = None
) -> Ended:
    """Execute the remaining steps of `run`, with progress on stderr.

    The first signal stops the run after the running steps. The second journals the interrupted steps and ends this process.
    `judge` is passed to `engine.execute`.
    """
    mend_copies(session, run.plan)
    with progress.progress(session.journal, run, screen) as follower:

        def first() -> None:
            policy.stopping.set()
            with suppress(Exception):
                follower.note(_STOPPING)

        def second(code: int) -> None:
            follower.end()
            _stop_at_once(session, run.id, screen, code)

        with signals.on_signals(first, second) as heard:
            outcome = _execute(session, run, policy, screen, judge)
    return Ended(outcome, heard.exit_code if heard.number and not outcome.succeeded else 0)


def _execute(
    session: Session, run: Run, policy: Policy, screen: Screen, judge: Callable[[], Verdict] | None
) -> Outcome:
    """As the engine. If it raises, the next commands are shown all the same."""
    try:
        return execute(run, session.fleet, session.journal, session.store, policy, package_digest, judge)
    except Exception:
        with suppress(Exception):
            screen.warn(commands_in_text(_recap(session, run.id)))
        raise


def go_forward(session: Session, run: Run, policy: Policy, screen: Screen, *, or_unwind: bool = False) -> int:
    """Execute `run`, and undo it if it failed and `or_unwind`. Its recap is on stdout. Returns the exit code."""
    with show_commands_on_interrupt(session, run.id, screen):
        return _go_forward(session, run, policy, screen, or_unwind)


@contextmanager
def show_commands_on_interrupt(session: Session, name: str, screen: Screen) -> Iterator[None]:
    """If the block is interrupted, the next commands of the run `name` are shown, also after its last step has ended."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        with suppress(Exception):
            if commands := commands_in_text(_recap(session, name)):
                screen.warn(commands)
        raise


def _go_forward(session: Session, run: Run, policy: Policy, screen: Screen, or_unwind: bool) -> int:
    ended = execute_run(session, run, policy, screen)
    if ended.outcome.succeeded:
        return _conclude(session, run.id, screen, 0)
    if ended.signal_code or not (or_unwind and ended.outcome.failed):
        return _conclude(session, run.id, screen, ended.signal_code or RunStopped.exit_code)
    screen.note(f"Run {run.id} failed. Undoing it.")
    try:
        spared = plan_undoing(session, run.id)
    except Irreversible as error:
        screen.warn(f"It cannot be undone: {error.message}")
        return _conclude(session, run.id, screen, RunStopped.exit_code)
    for line in spared.lines:
        screen.warn(line)
    undoing = open_undoing(session.journal, run.id, spared.plan)
    undone = execute_run(session, undoing, Policy(max_fail=0), screen)
    if undone.outcome.succeeded:
        mark_undone(session.journal, undoing)
    exit_code = Unwound.exit_code if undone.outcome.succeeded else UndoFailed.exit_code
    return _conclude(session, run.id, screen, undone.signal_code or exit_code, undoing.id)


def go_back(session: Session, undoing: Run, screen: Screen) -> int:
    """Execute a run that undoes another. A host that fails does not stop the others. Returns the exit code.

    A run that leads to a snapshot never counts as good here, because nothing compares it with the snapshot.
    """
    with show_commands_on_interrupt(session, undoing.id, screen):
        return _go_back(session, undoing, screen)


def _go_back(session: Session, undoing: Run, screen: Screen) -> int:
    ended = execute_run(session, undoing, Policy(max_fail=0), screen, _unseen if _compares(undoing) else None)
    good = ended.outcome.succeeded and not _compares(undoing)
    if good:
        mark_undone(session.journal, undoing)
    exit_code = 0 if good else UndoFailed.exit_code
    return _conclude(session, undoing.id, screen, ended.signal_code or exit_code)


def _compares(run: Run) -> bool:
    """Whether the end of `run` must be compared with a snapshot, which only `rollback` can do."""
    return run.plan.direction == "rollback"


def _unseen() -> Verdict:
    return Verdict(False, "not compared with the snapshot")


def plan_undoing(session: Session, run: str, consent: frozenset[str] = frozenset()) -> SparedData:
    """The plan that undoes `run`, and keeps the data of the packages that it removes. Raises `Irreversible`."""
    return spare_data(session.fleet, unwind(session.journal.run(run), consent=consent))


def open_undoing(journal: Journal, run: str, plan: Plan, comment: str = "") -> Run:
    """The opened run of `plan`, which undoes the run `run`. No step is started."""
    return journal.open_run(plan, parent=run, comment=comment)


def mark_undone(journal: Journal, run: Run) -> None:
    """Afterwards the run that `run` has undone counts as undone."""
    if run.parent and journal.run(run.parent).status != "undone":
        journal.append(run.parent, "run_undone", text=run.id)


def _conclude(session: Session, name: str, screen: Screen, code: int, undoing: str = "") -> int:
    """Print the recap of the run as the result, and the next commands on stderr. Returns `code`."""
    recaps = [_recap(session, run) for run in (name, undoing) if run]
    document = codec.to_builtins(recaps[0]) | {"exit_code": code}
    if undoing:
        document["undoing"] = codec.to_builtins(recaps[1])
    try:
        screen.result(document, "\n\n".join(recap_in_text(recap) for recap in recaps), code=code)
    finally:
        if code and (commands := commands_in_text(recaps[0])):
            screen.warn(commands)
    return code


def _recap(session: Session, name: str) -> Recap:
    return recap_of(session.journal.run(name), session.settings.given, session.journal.runs())


def _stop_at_once(session: Session, run: str, screen: Screen, code: int) -> None:
    """Journal the interrupted steps within seconds, and end this process without waiting for its threads."""

    def journal_and_report() -> None:
        _journal_interruption(session.journal, run)
        recap = _recap(session, run)
        screen.warn("Stopped at once. Jobs continue to run on the hosts; `resume` follows them.")
        screen.warn(commands_in_text(recap))
        sys.stdout.flush()

    reporter = threading.Thread(target=journal_and_report, daemon=True)
    reporter.start()
    reporter.join(_SECONDS_TO_JOURNAL)
    os._exit(code)


def _journal_interruption(journal: Journal, name: str) -> None:
    run = journal.run(name)
    failed = {(event.wave, event.host, event.index) for event in run.failures}
    for place in run.started.keys() - run.done:
        if (place.wave, place.host, place.index) not in failed:
            journal.append(
                name,
                "step_failed",
                wave=place.wave,
                host=place.host,
                index=place.index,
                text=run.step_at(place).describe(),
                error="interrupted: the controller was stopped while this was under way",
            )
    journal.append(name, "run_ended", text="interrupted")

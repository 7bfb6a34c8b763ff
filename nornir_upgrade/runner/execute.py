"""Execution: a run carried out before the eyes of a person or a script, and how it ended. For both command lines."""

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
from nornir_upgrade.report.summary import Recap, recap
from nornir_upgrade.report.summary_text import recap_in_text, ways_in_text

from .keep import mend_copies
from .session import Controller
from .spare_data import Spared, spared

_SECONDS_TO_JOURNAL = 5.0
_STOPPING = (
    "Stopping: no further step is begun. The steps that are under way end first, and the run can be resumed or unwound.\n"
    "Ctrl-C once more stops at once: what runs on the hosts then runs on there, and is found again by resume."
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How carrying out a run ended; `signal_code` is the exit code due to a signal, 0 without one."""

    outcome: Outcome
    signal_code: int = 0


def carry_out(
    controller: Controller, run: Run, policy: Policy, screen: Screen, judge: Callable[[], Verdict] | None = None
) -> Ended:
    """Execute what is left of `run`, with progress on stderr; the first signal stops it after the steps that are under way.

    A second signal journals what was interrupted and ends this process. `judge` is as `execute` has it.
    """
    mend_copies(controller, run.plan)
    with progress.following(controller.journal, run, screen) as follower:

        def first() -> None:
            policy.stopping.set()
            with suppress(Exception):
                follower.note(_STOPPING)

        def second(code: int) -> None:
            follower.end()
            _stop_at_once(controller, run.id, screen, code)

        with signals.listening(first, second) as heard:
            outcome = _execute(controller, run, policy, screen, judge)
    return Ended(outcome, heard.exit_code if heard.number and not outcome.succeeded else 0)


def _execute(
    controller: Controller, run: Run, policy: Policy, screen: Screen, judge: Callable[[], Verdict] | None
) -> Outcome:
    """As the engine does; where that ends in no orderly way, the ways on and back are told all the same."""
    try:
        return execute(run, controller.fleet, controller.journal, controller.store, policy, package_digest, judge)
    except Exception:
        with suppress(Exception):
            screen.warn(ways_in_text(_found(controller, run.id)))
        raise


def go_forward(controller: Controller, run: Run, policy: Policy, screen: Screen, *, or_unwind: bool = False) -> int:
    """Carry `run` out, undo it if it failed and `or_unwind`, tell how it stands; returns the exit code."""
    with ways_told(controller, run.id, screen):
        return _go_forward(controller, run, policy, screen, or_unwind)


@contextmanager
def ways_told(controller: Controller, name: str, screen: Screen) -> Iterator[None]:
    """Where the block is interrupted, the ways on and back of the run `name` are told: also after its last step has ended."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        with suppress(Exception):
            if ways := ways_in_text(_found(controller, name)):
                screen.warn(ways)
        raise


def _go_forward(controller: Controller, run: Run, policy: Policy, screen: Screen, or_unwind: bool) -> int:
    ended = carry_out(controller, run, policy, screen)
    if ended.outcome.succeeded:
        return _conclude(controller, run.id, screen, 0)
    if ended.signal_code or not (or_unwind and ended.outcome.failed):
        return _conclude(controller, run.id, screen, ended.signal_code or RunStopped.exit_code)
    screen.note(f"Run {run.id} failed. Undoing it.")
    try:
        planned = plan_undoing(controller, run.id)
    except Irreversible as error:
        screen.warn(f"It cannot be undone: {error.message}")
        return _conclude(controller, run.id, screen, RunStopped.exit_code)
    for line in planned.lines:
        screen.warn(line)
    undoing = open_undoing(controller.journal, run.id, planned.plan)
    back = carry_out(controller, undoing, Policy(max_fail=0), screen)
    if back.outcome.succeeded:
        mark_undone(controller.journal, undoing)
    done = Unwound.exit_code if back.outcome.succeeded else UndoFailed.exit_code
    return _conclude(controller, run.id, screen, back.signal_code or done, undoing.id)


def go_back(controller: Controller, undoing: Run, screen: Screen) -> int:
    """Carry out a run that takes another back, on every host whatever fails on one; returns the exit code.

    One that leads to a snapshot is not compared with it here, so that it never counts as good.
    """
    with ways_told(controller, undoing.id, screen):
        return _go_back(controller, undoing, screen)


def _go_back(controller: Controller, undoing: Run, screen: Screen) -> int:
    ended = carry_out(controller, undoing, Policy(max_fail=0), screen, _unseen if _compares(undoing) else None)
    good = ended.outcome.succeeded and not _compares(undoing)
    if good:
        mark_undone(controller.journal, undoing)
    done = 0 if good else UndoFailed.exit_code
    return _conclude(controller, undoing.id, screen, ended.signal_code or done)


def _compares(run: Run) -> bool:
    """Whether it is one of those whose end is held against a snapshot, which only `rollback` can."""
    return run.plan.direction == "rollback"


def _unseen() -> Verdict:
    return Verdict(False, "not compared with the snapshot")


def plan_undoing(controller: Controller, run: str, consent: frozenset[str] = frozenset()) -> Spared:
    """What undoes `run`, and keeps the data of what it takes away. Raises `Irreversible`."""
    return spared(controller.fleet, unwind(controller.journal.run(run), consent=consent))


def open_undoing(journal: Journal, run: str, plan: Plan, comment: str = "") -> Run:
    """Afterwards the run that undoes `run` by `plan` is open, not begun."""
    return journal.open_run(plan, parent=run, comment=comment)


def mark_undone(journal: Journal, run: Run) -> None:
    """Afterwards the run that `run` took back counts as undone."""
    if run.parent and journal.run(run.parent).status != "undone":
        journal.append(run.parent, "run_undone", text=run.id)


def _conclude(controller: Controller, name: str, screen: Screen, code: int, undoing: str = "") -> int:
    """Print how the run stands: the recap is the result; the ways on and back go to stderr, where nobody can miss them."""
    found = [_found(controller, one) for one in (name, undoing) if one]
    document = codec.to_builtins(found[0]) | {"exit_code": code}
    if undoing:
        document["undoing"] = codec.to_builtins(found[1])
    try:
        screen.result(document, "\n\n".join(recap_in_text(one) for one in found), code=code)
    finally:
        if code and (ways := ways_in_text(found[0])):
            screen.warn(ways)
    return code


def _found(controller: Controller, name: str) -> Recap:
    return recap(controller.journal.run(name), controller.settings.given, controller.journal.runs())


def _stop_at_once(controller: Controller, run: str, screen: Screen, code: int) -> None:
    """Journal what was interrupted, as far as that can be done in seconds, and end this process, whatever its threads do."""

    def last_words() -> None:
        _journal_interruption(controller.journal, run)
        found = _found(controller, run)
        screen.warn("Stopped at once. What runs on the hosts runs on there; going on follows it.")
        screen.warn(ways_in_text(found))
        sys.stdout.flush()

    speaker = threading.Thread(target=last_words, daemon=True)
    speaker.start()
    speaker.join(_SECONDS_TO_JOURNAL)
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

"""The way back, carried out: journalled and executed as any run, then verified."""

from collections.abc import Collection
from dataclasses import dataclass

from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.text import one_line
from nornir_upgrade.core.engine import Policy, Verdict
from nornir_upgrade.core.errors import UndoFailed, Unreachable
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import Run
from nornir_upgrade.runner.execute import execute_run, mark_undone, show_commands_on_interrupt
from nornir_upgrade.runner.session import Session

from .announcement import Announced, announced, keep, kept
from .assess import Assessment, state_now
from .snapshot import Snapshot, read, runs_since
from .verify import Verification, verify

_LISTED = 20


@dataclass(frozen=True, slots=True)
class Returned:
    """How a way back ended. `verification` is `None` if the run did not complete; then `exit_code` says why."""

    run: str
    exit_code: int
    verification: Verification | None


def needless(assessment: Assessment, plan: Plan) -> bool:
    """Whether there is nothing to do: each fact is as it should be, no run is open, and a way back to there succeeded last."""
    if (
        any(run.status == "open" for run in assessment.runs)
        or not verify(
            assessment.then,
            assessment.now,
            foretold=assessment.foretold,
            others=assessment.others,
            theirs=assessment.theirs,
        ).equal
    ):
        return False
    last = assessment.runs[-1] if assessment.runs else None
    returned = last and last.status == "succeeded" and (last.plan.direction, last.plan.origin) == _goal(plan)
    return not plan.waves or bool(returned)


def taken_back_too(assessment: Assessment) -> tuple[str, ...]:
    """What becomes of each open run, a sentence each, for the question. `run` would refuse to begin while they are open."""
    return tuple(
        f"run {run.id} ({run.plan.direction} {one_line(run.plan.origin)}) is open, and {_becomes(run, assessment)}"
        for run in assessment.runs
        if run.status == "open"
    )


def _becomes(run: Run, assessment: Assessment) -> str:
    if assessment.partial:
        return "stays open: only some packages go back"
    if not _whole(run, assessment):
        return "stays open: it touched hosts that stay as they are"
    if run.plan.direction == "rollback":
        return "will be closed when all is as it should be"
    return "will be taken back too"


def go_back(
    session: Session,
    assessment: Assessment,
    plan: Plan,
    screen: Screen,
    *,
    restore_db: bool,
    consent: frozenset[str] = frozenset(),
    comment: str = "",
) -> Returned:
    """Carry out `plan` on every host, even if one fails; then compare the hosts with what was announced.

    If all is as it should be, and the way back was a whole one, every unfinished run since the snapshot is marked as undone,
    unless it touched a host that was not compared.
    """
    announcement = announced(assessment, restore_db=restore_db)
    measure = keep(session.store, announcement)
    run = session.journal.open_run(plan, parent=_parent(assessment), comment=comment)
    session.journal.append(run.id, "announced", text=measure)
    return _carried_out(session, run, Policy(max_fail=0, consent=consent), screen, assessment.snapshot, announcement)


def go_on(session: Session, run: Run, screen: Screen, *, consent: frozenset[str] = frozenset()) -> Returned:
    """Carry out the rest of `run`, a way back that was interrupted or failed. All else as `go_back`."""
    snapshot = read(session.journal, run.plan.origin)
    announcement = kept(session.store, run, snapshot)
    return _carried_out(session, run, Policy(max_fail=0, consent=consent), screen, snapshot, announcement)


def _carried_out(
    session: Session, run: Run, policy: Policy, screen: Screen, snapshot: Snapshot, announcement: Announced
) -> Returned:
    outcomes: list[Verification | UndoFailed] = []

    def judge() -> Verdict:
        outcomes.append(_look_again(session, run.id, snapshot, announcement))
        return _verdict(outcomes[0])

    with show_commands_on_interrupt(session, run.id, screen):
        ended = execute_run(session, run, policy, screen, judge)
    if not ended.outcome.succeeded:
        return Returned(run.id, ended.signal_code or UndoFailed.exit_code, None)
    (verification,) = outcomes
    if isinstance(verification, UndoFailed):
        raise verification
    if verification.equal:
        mark_undone(session.journal, run)
        if announcement.whole:
            _close_unfinished(session.journal, snapshot, announcement.hosts, run.id)
    return Returned(run.id, 0 if verification.equal else UndoFailed.exit_code, verification)


def _verdict(outcome: Verification | UndoFailed) -> Verdict:
    """The verification in a line, for the journal."""
    if isinstance(outcome, UndoFailed):
        return Verdict(False, f"not compared with the snapshot: {one_line(outcome.message)}")
    announced = f" ({len(outcome.expected)} as announced)" if outcome.expected else ""
    if outcome.equal:
        return Verdict(True, f"all is as it should be{announced}")
    listed = "; ".join(one_line(str(difference), 160) for difference in outcome.differences[:_LISTED])
    more = f"; and {len(outcome.differences) - _LISTED} more" if len(outcome.differences) > _LISTED else ""
    return Verdict(False, f"{len(outcome.differences)} differ{announced}: {listed}{more}")


def _look_again(session: Session, run: str, snapshot: Snapshot, announcement: Announced) -> Verification | UndoFailed:
    try:
        now = state_now(session.fleet, announcement.hosts, snapshot)
    except Unreachable as silence:
        return UndoFailed(
            f"run {run} completed, but then not every host answered: {silence.message}",
            hint=f"when they do: rollback diff {snapshot.id}",
        )
    return announcement.verify(snapshot, now)


def _parent(assessment: Assessment) -> str:
    """The run that is taken back as a whole: the first since the snapshot; '' if some of its hosts are not taken back."""
    if not assessment.runs or assessment.partial:
        return ""
    first = assessment.runs[0]
    return first.id if _whole(first, assessment) else ""


def _close_unfinished(journal: Journal, snapshot: Snapshot, hosts: Collection[str], by: str) -> None:
    """Afterwards no run since the snapshot is open, forward or back, unless it touched other hosts than `hosts`."""
    for run in runs_since(journal, snapshot):
        if run.status == "open" and _touched(run) <= set(hosts):
            journal.append(run.id, "run_undone", text=by)


def _whole(run: Run, assessment: Assessment) -> bool:
    """Whether every host that `run` touched is taken back."""
    return _touched(run) <= assessment.now.keys()


def _touched(run: Run) -> set[str]:
    return {place.host for place in run.started}


def _goal(plan: Plan) -> tuple[str, str]:
    return plan.direction, plan.origin

"""The way back, carried out: journalled and executed as any run, then proved."""

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
from .verify import Verification, prove

_TOLD = 20


@dataclass(frozen=True, slots=True)
class Returned:
    """How a way back ended. `proof` is `None` where the run did not come to its end; `exit_code` says which of all it was."""

    run: str
    exit_code: int
    proof: Verification | None


def needless(found: Assessment, plan: Plan) -> bool:
    """Whether there is nothing to do: every fact is as it should be, no run is open, and whatever runs did was taken back since."""
    if (
        any(run.status == "open" for run in found.runs)
        or not prove(found.then, found.now, foretold=found.foretold, others=found.others, theirs=found.theirs).equal
    ):
        return False
    last = found.runs[-1] if found.runs else None
    returned = last and last.status == "succeeded" and (last.plan.direction, last.plan.origin) == _aim(plan)
    return not plan.waves or bool(returned)


def taken_back_too(found: Assessment) -> tuple[str, ...]:
    """What becomes of the runs that are open, a sentence each: before the question, for `run` would refuse to begin over them."""
    return tuple(
        f"run {run.id} ({run.plan.direction} {one_line(run.plan.origin)}) is open, and {_becomes(run, found)}"
        for run in found.runs
        if run.status == "open"
    )


def _becomes(run: Run, found: Assessment) -> str:
    if found.partial:
        return "stays open: only some packages go back"
    if not _whole(run, found):
        return "stays open: it touched hosts that stay as they are"
    if run.plan.direction == "rollback":
        return "will be closed when all is as it should be"
    return "will be taken back, too"


def go_back(
    session: Session,
    found: Assessment,
    plan: Plan,
    screen: Screen,
    *,
    restore_db: bool,
    consent: frozenset[str] = frozenset(),
    comment: str = "",
) -> Returned:
    """Carry out `plan` on every host, whatever fails on one, and compare with what was announced what is true afterwards.

    When all is as it should be, and that was to go back as a whole, every unfinished run since the snapshot counts as
    undone, unless it touched a host that was not looked at.
    """
    told = announced(found, restore_db=restore_db)
    measure = keep(session.store, told)
    run = session.journal.open_run(plan, parent=_parent(found), comment=comment)
    session.journal.append(run.id, "announced", text=measure)
    return _carried_out(session, run, Policy(max_fail=0, consent=consent), screen, found.snapshot, told)


def go_on(session: Session, run: Run, screen: Screen, *, consent: frozenset[str] = frozenset()) -> Returned:
    """Carry out what is left of `run`, a way back that was cut off or failed. All else is as with `go_back`."""
    snapshot = read(session.journal, run.plan.origin)
    told = kept(session.store, run, snapshot)
    return _carried_out(session, run, Policy(max_fail=0, consent=consent), screen, snapshot, told)


def _carried_out(
    session: Session, run: Run, policy: Policy, screen: Screen, snapshot: Snapshot, told: Announced
) -> Returned:
    seen: list[Verification | UndoFailed] = []

    def judge() -> Verdict:
        seen.append(_look_again(session, run.id, snapshot, told))
        return _verdict(seen[0])

    with show_commands_on_interrupt(session, run.id, screen):
        ended = execute_run(session, run, policy, screen, judge)
    if not ended.outcome.succeeded:
        return Returned(run.id, ended.signal_code or UndoFailed.exit_code, None)
    (proof,) = seen
    if isinstance(proof, UndoFailed):
        raise proof
    if proof.equal:
        mark_undone(session.journal, run)
        if told.whole:
            _close_unfinished(session.journal, snapshot, told.hosts, run.id)
    return Returned(run.id, 0 if proof.equal else UndoFailed.exit_code, proof)


def _verdict(seen: Verification | UndoFailed) -> Verdict:
    """The proof in a line: it is kept in the journal."""
    if isinstance(seen, UndoFailed):
        return Verdict(False, f"not compared with the snapshot: {one_line(seen.message)}")
    announced = f" ({len(seen.expected)} as announced)" if seen.expected else ""
    if seen.equal:
        return Verdict(True, f"all is as it should be{announced}")
    told = "; ".join(one_line(str(one), 160) for one in seen.differences[:_TOLD])
    more = f"; and {len(seen.differences) - _TOLD} more" if len(seen.differences) > _TOLD else ""
    return Verdict(False, f"{len(seen.differences)} differ{announced}: {told}{more}")


def _look_again(session: Session, run: str, snapshot: Snapshot, told: Announced) -> Verification | UndoFailed:
    try:
        now = state_now(session.fleet, told.hosts, snapshot)
    except Unreachable as silence:
        return UndoFailed(
            f"run {run} came to its end, but then not every host answered: {silence.message}",
            hint=f"when they do: rollback diff {snapshot.id}",
        )
    return told.proof(snapshot, now)


def _parent(found: Assessment) -> str:
    """The run that is taken back as a whole: the first since the snapshot; '' where some of its hosts stay as they are."""
    return found.runs[0].id if found.runs and not found.partial and _whole(found.runs[0], found) else ""


def _close_unfinished(journal: Journal, snapshot: Snapshot, hosts: Collection[str], by: str) -> None:
    """Afterwards no run since the snapshot is open, forward or back, but those that touched other hosts than `hosts`."""
    for run in runs_since(journal, snapshot):
        if run.status == "open" and _touched(run) <= set(hosts):
            journal.append(run.id, "run_undone", text=by)


def _whole(run: Run, found: Assessment) -> bool:
    """Whether every host that `run` touched is taken back."""
    return _touched(run) <= found.now.keys()


def _touched(run: Run) -> set[str]:
    return {place.host for place in run.started}


def _aim(plan: Plan) -> tuple[str, str]:
    return plan.direction, plan.origin

"""The verb of `rollback` that carries a way back out: `apply`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.options import CONSENT, FLEET, GENERAL, REHEARSE, Flags, flags
from nornir_upgrade.console.output import Screen

from .computed import warn_of_unmatched
from .options import MISSING, ONLY, PARTING, TARGET
from .request import ApplyRequest, collect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nornir_upgrade.core.plan import Plan
    from nornir_upgrade.core.run import Run
    from nornir_upgrade.report.summary import Recap
    from nornir_upgrade.runner.session import Session
    from rollback.apply import Returned
    from rollback.assess import Assessment
    from rollback.verify import Verification


@click.command(
    epilog="""\b
Examples:
  rollback apply --restore-db
  rollback apply --run last-1 --yes
  rollback apply --manifest manifests --restore-db
  rollback apply --missing keep --yes
  rollback apply --only 'nova*' --restore-db
  rollback apply --rehearse     # first on a throw-away layer of each host

\b
If an old version cannot be had, nothing is changed (exit 21), unless you agree to the nearest consistent state:
with --missing keep or --missing remove, or with a manifest that you have seen. Afterwards every package must be
as was announced.

\b
Packages that others installed since are kept, with what they need, unless --remove-foreign is given. A package
with data outside /etc is removed and not purged: --purge NAME deletes its data too. With --manifest the hosts are
asked again: data that were added since the manifest was computed are kept too.

\b
Accounts, /etc and registries are restored as far as the run changed them. Later changes by others are kept, or
are saved in the store and named in a caution. The table shows for each area how many things were compared.

\b
With --only, the configuration of the packages that change is restored with them. So are services and databases
that match PATTERN or have the name of such a package. Old repositories are added; no repository is removed."""
)
@TARGET[0]
@TARGET[1]
@MISSING
@ONLY
@PARTING[0]
@PARTING[1]
@click.option("--restore-db", is_flag=True, help="Restore databases too; data written since are removed from them.")
@click.option(
    "--manifest", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Made by compute --out."
)
@flags(*GENERAL, *FLEET, *CONSENT, *REHEARSE)
@collect(ApplyRequest)
def apply(flags: Flags, request: ApplyRequest) -> int:
    """Take the fleet back: packages, configuration and, with --restore-db, databases. Then compare it with the snapshot.

    If interrupted, continue with `nornir-upgrade resume`, or run this command again. Open runs are taken back too: a caution names
    them before the question.
    """
    from nornir_upgrade.runner.session import at_work, refuse_unknown
    from rollback.apply import go_back, needless

    request.refuse_contradictions()
    request.refuse_blank_patterns()
    screen, consent = Screen(flags), frozenset(flags.accept)
    refuse_unknown(flags.config, flags.accept, flags.limit)
    screen.require_consent()
    with at_work(flags.config, "rollback apply", limit=flags.limit, workers=flags.workers) as session:
        assessment = _assess(screen, session, request)
        plan = _plan(session, assessment, request, consent)
        if needless(assessment, plan):
            screen.result({"run": None, "equal": True}, _nothing_to_do(assessment))
            return 0
        _announce(screen, session, assessment, plan, restore_db=request.restore_db)
        screen.confirm("Go back?")
        if flags.rehearse:
            _rehearse(screen, session, plan)
        returned = go_back(
            session,
            assessment,
            plan,
            screen,
            restore_db=request.restore_db,
            consent=consent,
            comment=flags.comment,
        )
        return _conclude(screen, flags, session, returned)


def go_on(session: "Session", run: "Run", flags: Flags, screen: Screen) -> int:
    """Carry out the rest of `run`, a way back, and compare as `apply` does: for `nornir-upgrade resume`."""
    from rollback.apply import go_on

    returned = go_on(session, run, screen, consent=frozenset(flags.accept))
    return _conclude(screen, flags, session, returned)


def _assess(screen: Screen, session: "Session", request: ApplyRequest) -> "Assessment":
    """The assessment of the fleet, with the manifests that are to be carried out.

    Raises `InvalidInput` if a pattern of --only matches no package, `Drift` if a manifest of --manifest does not fit the host,
    `Unobtainable` or `NoSolution` if a computed manifest leads elsewhere and nobody agreed to it.
    """
    from rollback.manifest.deviations import require_agreed
    from rollback.manifest.files import refuse_unmatched
    from rollback.manifest.model import require_solved

    snapshot = request.snapshot_in(session.journal)
    assessment = request.assess(screen, session.fleet, session.journal, session.store, snapshot)
    refuse_unmatched(assessment.manifests.values(), request.only)
    if request.manifest is not None:
        assessment = _with_manifests(assessment, request.manifest, request)
    require_solved(assessment.manifests.values())
    warn_of_unmatched(screen, assessment.manifests.values(), request.parting)
    if request.manifest is None:
        require_agreed(assessment.manifests.values(), missing=request.missing is not None)
    return assessment


def _with_manifests(assessment: "Assessment", directory: Path, request: ApplyRequest) -> "Assessment":
    """`assessment`, with the manifests in `directory` in place of the computed ones. Data that were added since are kept, unless
    --purge names their package. Raises `Drift`.
    """
    from dataclasses import replace

    from rollback.foreign.removal import seen
    from rollback.manifest.files import read_all, refuse_drift

    manifests = read_all(directory)
    refuse_drift(manifests, assessment.manifests, assessment.now.values())
    current = {
        host: seen(manifests[host], facts, assessment.estates.get(host, {}), request.parting)
        for host, facts in assessment.now.items()
    }
    return replace(assessment, manifests=current)


def _plan(session: "Session", assessment: "Assessment", request: ApplyRequest, consent: frozenset[str]) -> "Plan":
    from nornir_upgrade.core.inventory.cloud import cloud_of
    from rollback.plan.planner import plan_rollback

    return plan_rollback(
        assessment.snapshot,
        assessment.now,
        assessment.runs,
        assessment.manifests,
        restore_db=request.restore_db,
        consent=consent,
        clouds={host.name: cloud_of(host) for host in session.fleet.inventory},
    )


def _rehearse(screen: Screen, session: "Session", plan: "Plan") -> None:
    from nornir_upgrade.prepare.rehearse import rehearse_or_refuse

    rehearse_or_refuse(session.fleet, plan, session.store, screen, forward_only=dict.fromkeys(plan.hosts, ""))


def _nothing_to_do(assessment: "Assessment") -> str:
    from rollback.foreign.text import data_in_text, stays_in_text

    manifests = assessment.manifests
    kept = [text for text in (stays_in_text(manifests), data_in_text(manifests)) if text]
    if assessment.partial or kept or any(manifest.deviations for manifest in manifests.values()):
        return "\n\n".join(["Nothing to do: all is where the way back leads.", *kept])
    return f"Nothing to do: all is as in snapshot {assessment.snapshot.id}."


def _announce(screen: Screen, session: "Session", assessment: "Assessment", plan: "Plan", *, restore_db: bool) -> None:
    """Show on stderr where the way back leads, what it changes, and what a person must know before agreeing to it."""
    snapshot = assessment.snapshot
    screen.note(f"Back to snapshot {snapshot.id}" + f", before run {snapshot.run}" * bool(snapshot.run))
    for text in filter(None, _changes(assessment, plan)):
        screen.note(f"\n{text}")
    for text in filter(None, _limits(assessment)):
        screen.warn(f"\n{text}")
    for text in _cautions(assessment, restore_db=restore_db):
        screen.warn(f"Caution: {text}")
    if text := _edits(session, assessment):
        screen.warn(f"\n{text}")


def _changes(assessment: "Assessment", plan: "Plan") -> tuple[str, ...]:
    from rollback.manifest.text import changes_in_text, counts_in_text, plan_in_text

    return counts_in_text(assessment.manifests), changes_in_text(assessment.manifests), plan_in_text(plan)


def _limits(assessment: "Assessment") -> tuple[str, ...]:
    """The packages and data that the way back does not make as they were, and packages that nobody asked for."""
    from rollback.foreign.text import data_in_text, purged_in_text, stays_in_text
    from rollback.manifest.deviations import in_text, pulled_in

    manifests = assessment.manifests
    return (
        stays_in_text(manifests),
        data_in_text(manifests),
        purged_in_text(manifests),
        pulled_in(manifests.values()),
        in_text(manifests.values()),
    )


def _cautions(assessment: "Assessment", *, restore_db: bool) -> "Iterator[str]":
    from rollback.apply import taken_back_too
    from rollback.plan.warnings import cautions

    yield from taken_back_too(assessment)
    yield from cautions(
        assessment.snapshot, assessment.now, assessment.runs, assessment.manifests, restore_db=restore_db
    )


def _edits(session: "Session", assessment: "Assessment") -> str:
    from rollback.edits import edited, in_text

    return in_text(edited(session.fleet, assessment))


def _conclude(screen: Screen, flags: Flags, session: "Session", returned: "Returned") -> int:
    """Print how the way back ended; returns the exit code."""
    from nornir_upgrade.report.summary import recap
    from nornir_upgrade.runner.execute import ways_told

    with ways_told(session, returned.run, screen):
        summary = recap(session.journal.run(returned.run), flags.config, session.journal.runs())
        if returned.verification is None:
            _print_unfinished(screen, summary, returned.exit_code)
        else:
            _print_verified(screen, summary, returned.verification, returned.exit_code)
    return returned.exit_code


def _print_unfinished(screen: Screen, summary: "Recap", exit_code: int) -> None:
    from nornir_upgrade.report.summary_text import recap_in_text, ways_in_text

    try:
        screen.result(_document(summary, exit_code), recap_in_text(summary), code=exit_code)
    finally:
        screen.warn(ways_in_text(summary))


def _print_verified(screen: Screen, summary: "Recap", verification: "Verification", exit_code: int) -> None:
    from nornir_upgrade.core import codec
    from nornir_upgrade.report.summary_text import headline

    document = _document(summary, exit_code) | {
        "equal": verification.equal,
        "differences": codec.to_builtins(verification.differences),
        "expected": codec.to_builtins(verification.expected),
        "explained": codec.to_builtins(verification.explained),
        "compared": codec.to_builtins(verification.counts),
    }
    parts = [*_verified(verification)]
    if not verification.equal:
        parts.append(f"{headline(summary)}\n  {summary.remedy}")
    screen.result(document, "\n\n".join(parts), code=exit_code)


def _verified(verification: "Verification") -> "Iterator[str]":
    """The table of areas, then each difference."""
    from rollback.verify import differences_in_text, explained_in_text, table

    yield table(verification)
    if verification.differences:
        yield f"Differs:\n{differences_in_text(verification.differences)}"
    if verification.expected:
        yield f"Not as in the snapshot, as announced:\n{differences_in_text(verification.expected)}"
    if explained := explained_in_text(verification.explained):
        yield f"Explained, and not counted:\n{explained}"


def _document(summary: "Recap", exit_code: int) -> dict[str, Any]:
    from nornir_upgrade.core import codec

    document: dict[str, Any] = codec.to_builtins(summary)
    return document | {"exit_code": exit_code}

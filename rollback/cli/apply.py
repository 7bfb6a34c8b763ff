"""The verb of `rollback` that carries a way back out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.options import CONSENT, FLEET, GENERAL, REHEARSE, Flags, flags
from nornir_upgrade.console.output import Screen

from .options import FOUND, MISSING, ONLY, PARTING, TARGET, parting, policy, target

if TYPE_CHECKING:
    from nornir_upgrade.core.journal import Journal
    from nornir_upgrade.core.plan import Plan
    from nornir_upgrade.core.run import Run
    from nornir_upgrade.runner.session import Session
    from rollback.apply import Returned
    from rollback.assess import Assessment
    from rollback.foreign.removal import Parting


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
Where an old version cannot be had, nothing is done (exit 21) unless you agree to the nearest consistent state:
with --missing keep or --missing remove, or by a manifest that you have seen. Afterwards every package must be as
was announced.

\b
Packages that others installed since stay, with what they need, unless --remove-foreign is given. A package with
data outside /etc is removed and not purged: --purge NAME gives its data up. With --manifest hosts are asked again:
data that came since the manifest was computed are kept, too.

\b
Accounts, /etc and registries go back as far as the run changed them. What others changed there since stays, or is
kept in the store and named in a caution. The table says of each area how many things were compared.

\b
With --only, what belongs to the packages that change goes back with them: their configuration, and services and
databases that match PATTERN or are called as one of them. Old repositories are switched on, and none off."""
)
@TARGET[0]
@TARGET[1]
@MISSING
@ONLY
@PARTING[0]
@PARTING[1]
@click.option("--restore-db", is_flag=True, help="Restore databases too; what was written since is taken out of them.")
@click.option(
    "--manifest", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Made by compute --out."
)
@flags(*GENERAL, *FLEET, *CONSENT, *REHEARSE)
def apply(
    flags: Flags,
    run: str,
    snapshot: str,
    missing: str | None,
    only: tuple[str, ...],
    remove_foreign: bool,
    purge: tuple[str, ...],
    restore_db: bool,
    manifest: Path | None,
) -> int:
    """Take the fleet back: packages, configuration and, where asked for, databases; then compare with the snapshot.

    Cut off, it is gone on with by `nornir-upgrade resume`, or by this very command once more. Runs that are open are taken
    back, too: a caution names them before the question.
    """
    from nornir_upgrade.console.counter import counter
    from nornir_upgrade.core.inventory.cloud import cloud_of
    from nornir_upgrade.prepare.rehearse import rehearse_or_refuse
    from nornir_upgrade.runner.session import open_session, refuse_unknown_names
    from rollback.apply import go_back, needless
    from rollback.assess import assess
    from rollback.edits import edited, in_text
    from rollback.foreign.text import unmatched
    from rollback.manifest.deviations import require_agreed
    from rollback.manifest.files import refuse_unmatched
    from rollback.plan.planner import plan_rollback

    if manifest is not None and (missing or only or remove_foreign):
        raise click.UsageError(
            "a manifest says by itself what changes: --missing, --only and --remove-foreign are not for --manifest"
        )
    screen, consent, solver = Screen(flags), frozenset(flags.accept), policy(missing, only)
    asked = parting(remove_foreign, purge)
    refuse_unknown_names(flags.config, flags.accept, flags.limit)
    screen.require_consent()
    with open_session(flags.config, "rollback apply", limit=flags.limit, workers=flags.workers) as session:
        fleet, journal = session.fleet, session.journal
        where = target(journal, run, snapshot)
        with counter(screen, FOUND) as progress:
            found = assess(
                fleet, fleet.names, journal, session.store, where, solver=solver, asked=asked, progress=progress
            )
        refuse_unmatched(found.manifests.values(), only)
        found = _with_given(found, manifest, asked)
        for pattern in unmatched(found.manifests.values(), asked):
            screen.warn(f"--purge {pattern!r} is for no package that goes.")
        if manifest is None:
            require_agreed(found.manifests.values(), missing=missing is not None)
        plan = plan_rollback(
            found.snapshot,
            found.now,
            found.runs,
            found.manifests,
            restore_db=restore_db,
            consent=consent,
            clouds={host.name: cloud_of(host) for host in fleet.inventory},
        )
        if needless(found, plan):
            screen.result({"run": None, "equal": True}, _nothing_to_do(found))
            return 0
        _announce(screen, found, plan, restore_db)
        if text := in_text(edited(fleet, found)):
            screen.warn(f"\n{text}")
        screen.confirm("Go back?")
        if flags.rehearse:
            rehearse_or_refuse(fleet, plan, session.store, screen, forward_only=dict.fromkeys(plan.hosts, ""))
        returned = go_back(session, found, plan, screen, restore_db=restore_db, consent=consent, comment=flags.comment)
        return _conclude(screen, flags, session, returned)


def go_on(session: "Session", run: "Run", flags: Flags, screen: Screen) -> int:
    """Carry out what is left of `run`, a way back, and compare as `apply` does: for `nornir-upgrade resume`."""
    from rollback.apply import go_on

    returned = go_on(session, run, screen, consent=frozenset(flags.accept))
    return _conclude(screen, flags, session, returned)


def _with_given(found: "Assessment", directory: Path | None, asked: "Parting") -> "Assessment":
    """`found`, with the manifests in `directory` in place of the computed ones, and solved. Data that came since are kept, unless
    they are `asked` to go. Raises `Drift`, `Unobtainable`.
    """
    from dataclasses import replace

    from rollback.foreign.removal import seen
    from rollback.manifest.files import read_all, refuse_drift
    from rollback.manifest.model import require_solved

    if directory is not None:
        given = read_all(directory)
        refuse_drift(given, found.manifests, found.now.values())
        manifests = {
            host: seen(given[host], facts, found.estates.get(host, {}), asked) for host, facts in found.now.items()
        }
        found = replace(found, manifests=manifests)
    require_solved(found.manifests.values())
    return found


def _nothing_to_do(found: "Assessment") -> str:
    from rollback.foreign.text import data_in_text, stays_in_text

    told = [text for text in (stays_in_text(found.manifests), data_in_text(found.manifests)) if text]
    if found.partial or told or any(manifest.deviations for manifest in found.manifests.values()):
        return "\n\n".join(["Nothing to do: all is where the way back leads.", *told])
    return f"Nothing to do: all is as in snapshot {found.snapshot.id}."


def _announce(screen: Screen, found: "Assessment", plan: "Plan", restore_db: bool) -> None:
    from rollback.apply import taken_back_too
    from rollback.foreign.text import data_in_text, purged_in_text, stays_in_text
    from rollback.manifest.deviations import in_text, pulled_in
    from rollback.manifest.text import changes_in_text, counts_in_text, plan_in_text
    from rollback.plan.warnings import cautions

    screen.note(
        f"Back to snapshot {found.snapshot.id}" + (f", before run {found.snapshot.run}" * bool(found.snapshot.run))
    )
    for text in filter(None, (counts_in_text(found.manifests), changes_in_text(found.manifests), plan_in_text(plan))):
        screen.note(f"\n{text}")
    manifests = found.manifests
    for text in (stays_in_text(manifests), data_in_text(manifests), purged_in_text(manifests)):
        if text:
            screen.warn(f"\n{text}")
    for text in filter(None, (pulled_in(manifests.values()), in_text(manifests.values()))):
        screen.warn(f"\n{text}")
    for line in taken_back_too(found):
        screen.warn(f"Caution: {line}")
    for caution in cautions(found.snapshot, found.now, found.runs, found.manifests, restore_db=restore_db):
        screen.warn(f"Caution: {caution}")


def _conclude(screen: Screen, flags: Flags, session: "Session", returned: "Returned") -> int:
    from nornir_upgrade.runner.execute import show_commands_on_interrupt

    with show_commands_on_interrupt(session, returned.run, screen):
        return _told(screen, flags, session.journal, returned)


def _told(screen: Screen, flags: Flags, journal: "Journal", returned: "Returned") -> int:
    from nornir_upgrade.core import codec
    from nornir_upgrade.report.summary import recap_of
    from nornir_upgrade.report.summary_text import commands_in_text, headline, recap_in_text
    from rollback.verify import differences_in_text, explained_in_text, table

    stands = recap_of(journal.run(returned.run), flags.config, journal.runs())
    document: dict[str, Any] = codec.to_builtins(stands) | {"exit_code": returned.exit_code}
    proof = returned.proof
    if proof is None:
        try:
            screen.result(document, recap_in_text(stands), code=returned.exit_code)
        finally:
            screen.warn(commands_in_text(stands))
        return returned.exit_code
    parts = [table(proof)]
    for title, differences in (
        ("Differs:", proof.differences),
        ("Not as in the snapshot, as announced:", proof.expected),
    ):
        if differences:
            parts.append(f"{title}\n{differences_in_text(differences)}")
    if explained := explained_in_text(proof.explained):
        parts.append(f"Explained, and not counted:\n{explained}")
    if not proof.equal:
        parts.append("\n".join((headline(stands), f"  {stands.remedy}")))
    screen.result(
        document
        | {
            "equal": proof.equal,
            "differences": codec.to_builtins(proof.differences),
            "expected": codec.to_builtins(proof.expected),
            "explained": codec.to_builtins(proof.explained),
            "compared": codec.to_builtins(proof.counts),
        },
        "\n\n".join(parts),
        code=returned.exit_code,
    )
    return returned.exit_code

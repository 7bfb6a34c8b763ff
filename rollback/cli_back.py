"""The verbs of `rollback` that compute a way back, and carry it out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.doors import CONSENT, FLEET, GENERAL, Flags, flags
from nornir_upgrade.screen import Screen

from .cli_texts import Texts, from_texts, texts

if TYPE_CHECKING:
    from nornir_upgrade.core.journal import Journal
    from nornir_upgrade.core.plan import Plan

    from .back import Returned
    from .snapshot import Snapshot
    from .survey import Survey

_CONFIG, _OUTPUT, *_TALK = GENERAL
_FORM = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "apt", "dnf", "json"]),
    default="text",
    show_default=True,
    help="text: name=version a line, name- for a removal; apt, dnf: one command a host.",
)
_TARGET = (
    click.option("--run", default="", metavar="RUN", help="To the state before that run (default: last)."),
    click.option("--snapshot", default="", metavar="ID", help="To that snapshot."),
)


@click.command(
    epilog="""\b
Examples:
  rollback compute
  rollback compute --snapshot last -o apt --limit cmp1
  rollback compute --out manifests
  rollback compute --explain nova-common

\b
Without a machine, from text files of it:
  dpkg --get-selections | grep -e nova -e neutron > installed
  LC_ALL=C apt-cache policy $(cut -f1 installed) $(cut -f1 installed | sed s/neutron/quantum/) > policy
  rollback compute --installed installed --policy policy --release grizzly --rename neutron=quantum

\b
Every package is accounted for (-o json shows all). Where an old version cannot be had, the rest is still
printed on stdout, each such package is named on stderr, and the exit code is 21: a script that must have
all of them checks it before it uses what was printed."""
)
@_TARGET[0]
@_TARGET[1]
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="One manifest a host.")
@click.option("--explain", metavar="PACKAGE", default="", help="What happens to PACKAGE on each host, and why.")
@flags(_CONFIG, _FORM, *_TALK, *FLEET)
@texts
def compute(flags: Flags, run: str, snapshot: str, out: Path | None, explain: str, texts: Texts) -> None:
    """What must happen to every package of every host, so that all are as they were. Changes nothing.

    With --installed the same for one machine that is known from text files alone.
    """
    if texts.installed is not None:
        if run or snapshot or flags.limit:
            raise click.UsageError("--run, --snapshot and --limit are for hosts that are asked: not with --installed")
        from_texts(flags, texts, out, explain)
        return
    texts.refuse_alone()
    if flags.output == "dnf":
        raise click.UsageError("-o dnf is for rpm packages, with --installed")
    from nornir_upgrade.controller import looking, reading
    from nornir_upgrade.core.store import Store
    from nornir_upgrade.settings import read

    from .manifests import reasons, write_all
    from .resolve import require_solved
    from .survey import survey

    screen = Screen(flags)
    with reading(flags.config) as journal:
        target = _target(journal, run, snapshot)
        with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
            found = survey(fleet, fleet.names, journal, Store(read(flags.config).store), target)
    if out is not None:
        write_all(found.manifests, out)
    if explain:
        lines = reasons(found.manifests.values(), explain)
        screen.result({"package": explain, "reasons": list(lines)}, "\n".join(lines))
    else:
        screen.result(_documents(found), _words(found, flags.output))
    require_solved(found.manifests.values())


@click.command(
    epilog="""\b
Examples:
  rollback apply --restore-db
  rollback apply --run last-1 --yes
  rollback apply --manifest manifests --restore-db"""
)
@_TARGET[0]
@_TARGET[1]
@click.option("--restore-db", is_flag=True, help="Restore databases too; what was written since is taken out of them.")
@click.option(
    "--manifest", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Made by compute --out."
)
@flags(*GENERAL, *FLEET, *CONSENT)
def apply(flags: Flags, run: str, snapshot: str, restore_db: bool, manifest: Path | None) -> int:
    """Take the fleet back: packages, configuration and, where asked for, databases; then compare with the snapshot.

    Cut off, it is gone on with by `nornir-upgrade resume`, or by this very command once more.
    """
    from nornir_upgrade.controller import at_work

    from .back import go_back, needless
    from .planner import plan_rollback
    from .survey import survey

    screen, consent = Screen(flags), frozenset(flags.accept)
    screen.require_consent()
    with at_work(flags.config, "rollback apply", limit=flags.limit, workers=flags.workers) as controller:
        target = _target(controller.journal, run, snapshot)
        fleet, journal = controller.fleet, controller.journal
        found = _with_given(survey(fleet, fleet.names, journal, controller.store, target), manifest)
        plan = plan_rollback(
            found.snapshot, found.now, found.runs, found.manifests, restore_db=restore_db, consent=consent
        )
        if needless(found, plan):
            screen.result({"run": None, "equal": True}, f"Nothing to do: all is as in snapshot {target.id}.")
            return 0
        _announce(screen, found, plan, restore_db)
        screen.confirm("Go back?")
        returned = go_back(
            controller, found, plan, screen, restore_db=restore_db, consent=consent, comment=flags.comment
        )
        return _conclude(screen, flags, journal, returned)


def _target(journal: "Journal", run: str, snapshot: str) -> "Snapshot":
    from .snapshot import before_run, find

    if run and snapshot:
        raise click.UsageError("--run and --snapshot each say where to: give one")
    return find(journal, snapshot) if snapshot else before_run(journal, run or "last")


def _with_given(found: "Survey", directory: Path | None) -> "Survey":
    """`found`, with the manifests in `directory` in place of the computed ones, and solved. Raises `Drift`, `Unobtainable`."""
    from dataclasses import replace

    from .manifests import read_all, refuse_drift
    from .resolve import require_solved

    if directory is not None:
        given = read_all(directory)
        refuse_drift(given, found.manifests, found.now.values())
        found = replace(found, manifests={host: given[host] for host in found.now})
    require_solved(found.manifests.values())
    return found


def _announce(screen: Screen, found: "Survey", plan: "Plan", restore_db: bool) -> None:
    from .planner import cautions
    from .show import changes_in_text, counts_in_text, plan_in_text

    screen.note(
        f"Back to snapshot {found.snapshot.id}" + (f", before run {found.snapshot.run}" * bool(found.snapshot.run))
    )
    for text in (counts_in_text(found.manifests), changes_in_text(found.manifests), plan_in_text(plan)):
        screen.note(f"\n{text}")
    for caution in cautions(found.snapshot, found.now, found.runs, restore_db=restore_db):
        screen.warn(f"Caution: {caution}")


def _conclude(screen: Screen, flags: Flags, journal: "Journal", returned: "Returned") -> int:
    from nornir_upgrade.core import codec
    from nornir_upgrade.recap import recap
    from nornir_upgrade.recap_text import recap_in_text, ways_in_text

    from .proof import differences_in_text, table

    document: dict[str, Any] = {"run": returned.run, "exit_code": returned.exit_code}
    proof = returned.proof
    if proof is None:
        stands = recap(journal.run(returned.run), flags.config, journal.runs())
        screen.result(codec.to_builtins(stands) | document, recap_in_text(stands))
        screen.warn(ways_in_text(stands))
        return returned.exit_code
    parts = [table(proof)]
    for title, differences in (("Differs:", proof.differences), ("Not restored, as asked:", proof.expected)):
        if differences:
            parts.append(f"{title}\n{differences_in_text(differences)}")
    screen.result(
        document
        | {
            "equal": proof.equal,
            "differences": codec.to_builtins(proof.differences),
            "expected": codec.to_builtins(proof.expected),
        },
        "\n\n".join(parts),
    )
    return returned.exit_code


def _documents(found: "Survey") -> dict[str, Any]:
    from .resolve import document

    return {"manifests": [document(manifest) for manifest in found.manifests.values()]}


def _words(found: "Survey", form: str) -> str:
    """The changes of every host; where there are several, each under its name as a comment."""
    from .manifests import apt_command, lines

    parts = []
    for host, manifest in found.manifests.items():
        words = apt_command(manifest, found.now[host]) if form == "apt" else lines(manifest)
        parts.append("\n".join((*([f"# {host}"] if len(found.manifests) > 1 else ()), *words)))
    return "\n".join(parts)

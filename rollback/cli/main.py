"""`rollback`: takes a fleet back. The verbs that look; those that compute and carry out are in `cli_compute` and `cli_apply`."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nornir_upgrade.console.exit_codes import EXIT_CODES, App, run_app
from nornir_upgrade.console.options import FLEET, GENERAL, Flags, flags, make_defaults
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.table import columns

from .apply import apply
from .compute import compute
from .escrow import escrow
from .policy import policy
from .vercmp import vercmp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nornir_upgrade.core.errors import Failure
    from nornir_upgrade.core.facts.compare import Difference
    from rollback.disk.pictures import PictureComparison
    from rollback.snapshot import Snapshot

SOMETHING_DIFFERS = 100


@click.group(
    cls=App,
    name="rollback",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"""\b
Examples:
  rollback snapshots
  rollback diff last
  rollback compute --out manifests
  rollback apply --restore-db

{EXIT_CODES}

The way forward is the command `nornir-upgrade`.""",
)
@click.version_option(package_name="nornir-upgrade")
@flags(*GENERAL)
@click.pass_context
def door(ctx: click.Context, _: Flags) -> None:
    """Take a fleet of hosts back to where it was."""
    make_defaults(ctx)


door.add_command(compute)
door.add_command(apply)
door.add_command(vercmp)
door.add_command(policy)
door.add_command(escrow)


@door.command(
    epilog="""\b
Examples:
  rollback snapshot --label "before the maintenance"
  rollback snapshot --whole --limit web1

With --whole every file of the host's own file systems is read once, with low priority: its kind, SHA-256, mode, owner,
extended attributes and link target. File systems in memory and on the network are left out."""
)
@click.option("--label", default="", metavar="TEXT", help="Kept with the snapshot.")
@click.option("--whole", is_flag=True, help="Record every file of every host too.")
@flags(*GENERAL, *FLEET)
def snapshot(flags: Flags, label: str, whole: bool) -> int:
    """Record the state of every host. Changes nothing on them; every run forward begins with one by itself.

    A host that cannot be asked is named, and the others are recorded: exit code 30 where one is not reached, 24 where one says what
    cannot be read.
    """
    from nornir_upgrade.runner.session import open_session
    from rollback.assess import facts_found, known_databases
    from rollback.disk import pictures as whole_disk
    from rollback.disk import rules as picture_rules
    from rollback.snapshot import keep

    screen = Screen(flags)
    with open_session(flags.config, "rollback snapshot", limit=flags.limit, workers=flags.workers) as session:
        fleet, journal = session.fleet, session.journal
        found, lost = facts_found(fleet, fleet.names, known_databases(journal, fleet.inventory))
        facts = tuple(found.values())
        unseen: dict[str, Failure] = {}
        if whole:
            pictures, unseen = whole_disk.take(fleet, tuple(found), picture_rules.shipped(), screen.note)
            facts = whole_disk.keep(pictures, facts, session.store)
        kept = keep(journal, facts, label=label)
    every = lost | unseen
    document = {
        "snapshot": kept.id,
        "label": label,
        "hosts": list(kept.names),
        "lacking": _messages(every),
        "whole": whole,
    }
    screen.result(document, f"Snapshot {kept.id} of {', '.join(kept.names)}", code=_worst(every))
    _tell_lost(screen, lost, "Not in the snapshot")
    _tell_lost(screen, unseen, "Without a picture in the snapshot")
    return _worst(every)


@door.command(
    epilog="""\b
Examples:
  rollback snapshots -o json"""
)
@flags(*GENERAL)
def snapshots(flags: Flags) -> None:
    """All snapshots, oldest first. `last` and `last-1` count from the end of this list."""
    from nornir_upgrade.runner.session import open_journal
    from rollback.snapshot import entries

    with open_journal(flags.config) as journal:
        found = entries(journal)
    head = ("snapshot", "taken", "before run", "hosts", "label")
    rows = [(one.id, _local_time(one.taken_at), one.run or "-", len(one.hosts), one.label) for one in found]
    documents = [
        {
            "snapshot": one.id,
            "taken_at": one.taken_at,
            "run": one.run,
            "label": one.label,
            "hosts": [h.host for h in one.hosts],
            "whole": any(h.picture for h in one.hosts),
        }
        for one in found
    ]
    Screen(flags).result({"snapshots": documents}, columns(head, rows) if rows else "No snapshot yet.")


@door.command(
    epilog="""\b
Examples:
  rollback diff
  rollback diff last-1 last --detailed-exitcode
  rollback diff 'before the maintenance' --whole --rules our-rules.yaml

With --whole the files of whole disks are compared too, where the snapshots were taken with --whole. A difference is
explained by a rule with a written reason (logs, caches, ...), or is listed. --rules adds rules of yours."""
)
@click.argument("a", default="last")
@click.argument("b", default="")
@click.option("--whole", is_flag=True, help="Compare every file of every host too.")
@click.option(
    "--rules",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="More rules that explain differences of whole disks.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 100 where something differs.")
@flags(*GENERAL, *FLEET)
def diff(flags: Flags, a: str, b: str, whole: bool, rules: Path | None, detailed_exitcode: bool) -> int:
    """What changed from snapshot A (default: the last) to snapshot B, or to now. A run's id is the snapshot before it.

    A host that cannot be asked is named, and the others are compared: exit code 30 where one is not reached, 24 where one says what
    cannot be read.
    """
    from nornir_upgrade.core import codec
    from nornir_upgrade.runner.session import open_fleet, open_journal
    from rollback.assess import databases_of, facts_found, known_to
    from rollback.disk import text
    from rollback.snapshot import diff as changes
    from rollback.snapshot import find
    from rollback.verify import areas_in_text, counted, differences_in_text, explained_in_text, sifted

    if rules and not whole:
        raise click.UsageError("--rules is for --whole")
    screen = Screen(flags)
    lost: dict[str, Failure] = {}
    disks: tuple[PictureComparison, ...] = ()
    with open_journal(flags.config) as journal:
        one, other = find(journal, a), find(journal, b) if b else None
    if whole:
        disks, lost = _disks(flags, screen, one, other, rules)
    if other is not None:
        then, now = ({facts.host: facts for facts in taken.hosts} for taken in (one, other))
    else:
        with open_fleet(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
            now, unseen = facts_found(fleet, known_to(fleet.names, one), databases_of(one))
            lost |= unseen
        then = {host: one.of(host) for host in now}
    (found, explained), alone = sifted(changes(then, now)), sorted(then.keys() ^ now.keys())
    counts = counted(then, now)
    parts = [areas_in_text(counts, found, counts), differences_in_text(found), _as_it_was(flags, one, found)]
    parts.append(explained_in_text(explained))
    parts += [f"Only one of the two knows {', '.join(alone)}."] if alone else []
    document = {
        "differences": codec.to_builtins(found),
        "explained": codec.to_builtins(explained),
        "compared": counts,
        "hosts_of_one_side": alone,
        "lacking": _messages(lost),
    }
    if whole:
        document["whole"] = text.document(disks)
        parts.append(text.in_text(disks))
    differs = found or alone or any(one.judgement.unexplained for one in disks)
    code = _worst(lost) or (SOMETHING_DIFFERS if differs and detailed_exitcode else 0)
    screen.result(document, "\n\n".join(filter(None, parts)), code=code)
    _tell_lost(screen, lost, "Not compared")
    return code


def _as_it_was(flags: Flags, taken: "Snapshot", found: "Iterable[Difference]") -> str:
    """How a file with other content can be seen as it was before the run of the snapshot."""
    from nornir_upgrade.runner.session import open_journal
    from rollback.verify import captured_in_text

    if not (taken.run and any(one.other_content for one in found)):
        return ""
    with open_journal(flags.config) as journal:
        return captured_in_text(found, journal.run(taken.run))


def _disks(
    flags: Flags, screen: Screen, one: "Snapshot", other: "Snapshot | None", own: Path | None
) -> "tuple[tuple[PictureComparison, ...], dict[str, Failure]]":
    """What differs on whole disks from one snapshot to the other, or to now; and the hosts that could not be looked at."""
    from nornir_upgrade.config import settings
    from nornir_upgrade.core.store import Store
    from nornir_upgrade.runner.session import open_fleet
    from rollback.disk import pictures as whole_disk
    from rollback.disk import rules as picture_rules

    rules, store = picture_rules.with_more(own), Store(settings.read(flags.config).store)
    then = whole_disk.kept(one, store)
    if other is not None:
        return whole_disk.verdicts(then, whole_disk.kept(other, store), rules), {}
    with open_fleet(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        now, lost = whole_disk.take(fleet, [name for name in fleet.names if name in then], rules, screen.note)
    return whole_disk.verdicts(then, now, rules), lost


def _messages(lost: "Mapping[str, Failure]") -> dict[str, str]:
    return {host: failure.message for host, failure in lost.items()}


def _worst(lost: "Mapping[str, Failure]") -> int:
    return max((failure.exit_code for failure in lost.values()), default=0)


def _tell_lost(screen: Screen, lost: "Mapping[str, Failure]", what: str) -> None:
    from nornir_upgrade.console.text import printable

    for host, failure in lost.items():
        screen.warn(printable("\n  ".join(filter(None, (f"{what}: {host}: {failure.message}", failure.hint)))))


def _local_time(moment: str) -> str:
    from datetime import datetime

    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def main() -> NoReturn:
    """The console script."""
    run_app(door)


if __name__ == "__main__":
    main()

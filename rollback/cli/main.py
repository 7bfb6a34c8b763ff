"""The command line `rollback`: the group of all verbs, and those that record and list snapshots."""

from typing import TYPE_CHECKING, Any, NoReturn

import click

from nornir_upgrade.console.exit_codes import EXIT_CODES, App, enter
from nornir_upgrade.console.options import FLEET, GENERAL, Flags, before_the_verb, flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.table import columns

from . import lost_hosts
from .apply import apply
from .compute import compute
from .diff import diff
from .escrow import verbs as escrow
from .policy import policy
from .vercmp import vercmp

if TYPE_CHECKING:
    from nornir_upgrade.core.errors import Failure
    from rollback.snapshot import SnapshotEntry


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
    before_the_verb(ctx)


door.add_command(compute)
door.add_command(apply)
door.add_command(diff)
door.add_command(vercmp)
door.add_command(policy)
door.add_command(escrow)


@door.command(
    epilog="""\b
Examples:
  rollback snapshot --label "before the maintenance"
  rollback snapshot --whole --limit web1

With --whole, every file of the host's own file systems is read once, with low priority: its kind, SHA-256, mode, owner,
extended attributes and link target. File systems in memory and on the network are left out."""
)
@click.option("--label", default="", metavar="TEXT", help="Kept with the snapshot.")
@click.option("--whole", is_flag=True, help="Record every file of every host too.")
@flags(*GENERAL, *FLEET)
def snapshot(flags: Flags, label: str, whole: bool) -> int:
    """Record the state of every host. Changes nothing on the hosts. Every forward run starts with a snapshot of its own.

    A host that cannot be asked is named, and the others are recorded. Exit code 30: a host was not reached. 24: the answer of a host
    cannot be read.
    """
    from nornir_upgrade.runner.session import at_work
    from rollback.assess import facts_found, known_databases
    from rollback.disk import pictures, rules
    from rollback.snapshot import keep

    screen = Screen(flags)
    with at_work(flags.config, "rollback snapshot", limit=flags.limit, workers=flags.workers) as session:
        fleet, journal = session.fleet, session.journal
        by_host, lost = facts_found(fleet, fleet.names, known_databases(journal, fleet.inventory))
        facts = tuple(by_host.values())
        unseen: dict[str, Failure] = {}
        if whole:
            taken, unseen = pictures.take(fleet, tuple(by_host), rules.shipped(), screen.note)
            facts = pictures.keep(taken, facts, session.store)
        snapshot = keep(journal, facts, label=label)
    failures = lost | unseen
    document = {
        "snapshot": snapshot.id,
        "label": label,
        "hosts": list(snapshot.names),
        "lacking": lost_hosts.messages(failures),
        "whole": whole,
    }
    screen.result(document, f"Snapshot {snapshot.id} of {', '.join(snapshot.names)}", code=lost_hosts.worst(failures))
    lost_hosts.report(screen, lost, "Not in the snapshot")
    lost_hosts.report(screen, unseen, "Without a picture in the snapshot")
    return lost_hosts.worst(failures)


@door.command(
    epilog="""\b
Examples:
  rollback snapshots -o json"""
)
@flags(*GENERAL)
def snapshots(flags: Flags) -> None:
    """List all snapshots, oldest first. `last` and `last-1` count from the end of this list."""
    from nornir_upgrade.runner.session import reading
    from rollback.snapshot import entries

    with reading(flags.config) as journal:
        snapshots = entries(journal)
    head = ("snapshot", "taken", "before run", "hosts", "label")
    rows = [(one.id, _local_time(one.taken_at), one.run or "-", len(one.hosts), one.label) for one in snapshots]
    Screen(flags).result(
        {"snapshots": list(map(_listed, snapshots))}, columns(head, rows) if rows else "No snapshot yet."
    )


def _listed(snapshot: "SnapshotEntry") -> dict[str, Any]:
    return {
        "snapshot": snapshot.id,
        "taken_at": snapshot.taken_at,
        "run": snapshot.run,
        "label": snapshot.label,
        "hosts": [host.host for host in snapshot.hosts],
        "whole": any(host.picture for host in snapshot.hosts),
    }


def _local_time(moment: str) -> str:
    from datetime import datetime

    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def main() -> NoReturn:
    """The console script."""
    enter(door)


if __name__ == "__main__":
    main()

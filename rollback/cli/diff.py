"""The verb of `rollback` that compares a snapshot with another, or with the hosts as they are now: `diff`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.options import FLEET, GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen

from . import lost_hosts

if TYPE_CHECKING:
    from nornir_upgrade.core.errors import Failure
    from nornir_upgrade.core.facts.compare import Area, Difference
    from nornir_upgrade.core.facts.gather import HostFacts
    from rollback.disk.pictures import PictureComparison
    from rollback.snapshot import Snapshot

_SOMETHING_DIFFERS = 100


@click.command(
    epilog="""\b
Examples:
  rollback diff
  rollback diff last-1 last --detailed-exitcode
  rollback diff 'before the maintenance' --whole --rules our-rules.yaml

With --whole, the files of whole disks are compared too, if the snapshots were taken with --whole. Each difference is
explained by a rule with a written reason (logs, caches, ...), or it is listed. --rules adds your own rules."""
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
@click.option("--detailed-exitcode", is_flag=True, help="Exit 100 if something differs.")
@flags(*GENERAL, *FLEET)
def diff(flags: Flags, a: str, b: str, whole: bool, rules: Path | None, detailed_exitcode: bool) -> int:
    """Compare snapshot A (default: the last) with snapshot B, or with the hosts as they are now. A run's id is the snapshot before it.

    A host that cannot be asked is named, and the others are compared. Exit code 30: a host was not reached. 24: the answer of a host
    cannot be read.
    """
    if rules and not whole:
        raise click.UsageError("--rules is for --whole")
    screen = Screen(flags)
    older, newer = _snapshots(flags, a, b)
    disks, unseen = _disks(flags, screen, older, newer, rules) if whole else ((), {})
    comparison, lost = _compare(flags, older, newer)
    failures = unseen | lost
    differs = comparison.differs or any(disk.judgement.unexplained for disk in disks)
    code = lost_hosts.worst(failures) or (_SOMETHING_DIFFERS if differs and detailed_exitcode else 0)
    document = comparison.document() | {"lacking": lost_hosts.messages(failures)}
    parts = [*comparison.in_text(), _as_it_was(flags, older, comparison.differences), *comparison.rest_in_text()]
    if whole:
        from rollback.disk import text

        document["whole"] = text.document(disks)
        parts.append(text.in_text(disks))
    screen.result(document, "\n\n".join(filter(None, parts)), code=code)
    lost_hosts.report(screen, failures, "Not compared")
    return code


@dataclass(frozen=True, slots=True)
class _SnapshotComparison:
    """Differences, and those that a rule explains. `counts`: compared things by host and area. `alone`: hosts of one side only."""

    counts: "Mapping[str, Mapping[Area, int]]"
    differences: "tuple[Difference, ...]"
    explained: "tuple[Difference, ...]"
    alone: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return bool(self.differences or self.alone)

    def document(self) -> dict[str, Any]:
        from nornir_upgrade.core import codec

        return {
            "differences": codec.to_builtins(self.differences),
            "explained": codec.to_builtins(self.explained),
            "compared": self.counts,
            "hosts_of_one_side": list(self.alone),
        }

    def in_text(self) -> Iterator[str]:
        """The table of areas, and the table of differences."""
        from rollback.verify import areas_in_text, differences_in_text

        yield areas_in_text(self.counts, self.differences, self.counts)
        yield differences_in_text(self.differences)

    def rest_in_text(self) -> Iterator[str]:
        """The explained differences, and the hosts that only one side knows."""
        from rollback.verify import explained_in_text

        yield explained_in_text(self.explained)
        if self.alone:
            yield f"Only one of the two knows {', '.join(self.alone)}."


def _snapshots(flags: Flags, a: str, b: str) -> "tuple[Snapshot, Snapshot | None]":
    from nornir_upgrade.runner.session import reading
    from rollback.snapshot import find

    with reading(flags.config) as journal:
        return find(journal, a), find(journal, b) if b else None


def _compare(
    flags: Flags, older: "Snapshot", newer: "Snapshot | None"
) -> "tuple[_SnapshotComparison, dict[str, Failure]]":
    """`older` compared with `newer`, or with the hosts as they are now; and the failures of hosts that could not be asked."""
    from rollback.snapshot import diff as changes
    from rollback.verify import counted, sifted

    lost: dict[str, Failure] = {}
    if newer is not None:
        then, now = ({facts.host: facts for facts in snapshot.hosts} for snapshot in (older, newer))
    else:
        now, lost = _facts_now(flags, older)
        then = {host: older.of(host) for host in now}
    differences, explained = sifted(changes(then, now))
    alone = tuple(sorted(then.keys() ^ now.keys()))
    return _SnapshotComparison(counted(then, now), differences, explained, alone), lost


def _facts_now(flags: Flags, snapshot: "Snapshot") -> "tuple[dict[str, HostFacts], dict[str, Failure]]":
    from nornir_upgrade.runner.session import looking
    from rollback.assess import databases_of, facts_found, known_to

    with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        return facts_found(fleet, known_to(fleet.names, snapshot), databases_of(snapshot))


def _as_it_was(flags: Flags, snapshot: "Snapshot", differences: "Iterable[Difference]") -> str:
    """The command that shows a file with other content as it was before the run of the snapshot; '' if there is none."""
    from nornir_upgrade.runner.session import reading
    from rollback.verify import captured_in_text

    if not (snapshot.run and any(difference.other_content for difference in differences)):
        return ""
    with reading(flags.config) as journal:
        return captured_in_text(differences, journal.run(snapshot.run))


def _disks(
    flags: Flags, screen: Screen, older: "Snapshot", newer: "Snapshot | None", own: Path | None
) -> "tuple[tuple[PictureComparison, ...], dict[str, Failure]]":
    """What differs on whole disks from one snapshot to the other, or to now; and the failures of hosts that could not be read."""
    from nornir_upgrade.config import settings
    from nornir_upgrade.core.store import Store
    from nornir_upgrade.runner.session import looking
    from rollback.disk import pictures, rules

    chosen, store = rules.with_more(own), Store(settings.read(flags.config).store)
    then = pictures.kept(older, store)
    if newer is not None:
        return pictures.verdicts(then, pictures.kept(newer, store), chosen), {}
    with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        now, lost = pictures.take(fleet, [name for name in fleet.names if name in then], chosen, screen.note)
    return pictures.verdicts(then, now, chosen), lost

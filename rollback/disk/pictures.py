"""Pictures of whole disks: taken of the hosts of a fleet, stored with a snapshot, read again, and compared host by host."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from nornir_upgrade.core.errors import CommandFailed, Failure, HostUnreadable, InvalidInput, TimedOut
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.filesystem import walk
from nornir_upgrade.core.filesystem.picture import Comparison, Head, Picture, compare, pack, unpack
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Fleet, Host
from nornir_upgrade.runner.session import ask_each, refuse_lost
from rollback.snapshot import Snapshot

from .rules import Judgement, PictureRule, judge, meanings

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PictureComparison:
    """What differs on a host's disks, judged by the rules. `heads`: those of the pictures before and after."""

    host: str
    comparison: Comparison
    judgement: Judgement
    heads: tuple[Head, Head]


def take(
    fleet: Fleet, names: Iterable[str], rules: Iterable[PictureRule], note: Note
) -> tuple[dict[str, Picture], dict[str, Failure]]:
    """The pictures of hosts as they are now, by host; and the failures of the hosts that have none.

    Raises as `walk.take` if no host has one.
    """
    wanted = meanings(rules)

    def look(host: Host) -> Picture:
        try:
            picture = walk.take(host, wanted, lambda at: note(f"{at.host}: {at.read} of {at.files} files are read"))
        except (CommandFailed, InvalidInput, TimedOut) as failure:
            raise HostUnreadable(failure.message, hint=failure.hint) from failure
        note(f"{host.name}: {len(picture.records)} paths are in the picture{_caution(picture.head)}")
        return picture

    pictures, lost = ask_each(fleet, tuple(names), look)
    if lost and not pictures:
        refuse_lost(lost)
    return pictures, lost


def keep(pictures: Mapping[str, Picture], facts: Iterable[HostFacts], store: Store) -> tuple[HostFacts, ...]:
    """Afterwards the pictures are in the store; returns the facts, which refer to them by digest."""
    return tuple(
        replace(one, picture=store.put(pack(pictures[one.host]))) if one.host in pictures else one for one in facts
    )


def kept(snapshot: Snapshot, store: Store) -> dict[str, Picture]:
    """The pictures of a snapshot, by host. Raises `InvalidInput` if it has none, `Unobtainable`, `DigestMismatch`."""
    pictures = {
        facts.host: unpack(store.get(facts.picture), f"snapshot {snapshot.id}, host {facts.host}")
        for facts in snapshot.hosts
        if facts.picture
    }
    if not pictures:
        raise InvalidInput(
            f"snapshot {snapshot.id} has no picture of whole disks", hint="take one with: rollback snapshot --whole"
        )
    return pictures


def verdicts(
    then: Mapping[str, Picture], now: Mapping[str, Picture], rules: Iterable[PictureRule]
) -> tuple[PictureComparison, ...]:
    """The comparisons of the hosts that have a picture on both sides, by name."""
    ordered = tuple(rules)
    return tuple(_verdict(host, then[host], now[host], ordered) for host in sorted(then.keys() & now.keys()))


def _verdict(host: str, before: Picture, after: Picture, rules: tuple[PictureRule, ...]) -> PictureComparison:
    comparison = compare(before, after)
    judgement = judge(comparison.changes, rules, before, after)
    return PictureComparison(host, comparison, judgement, (before.head, after.head))


def _caution(head: Head) -> str:
    parts = ["; extended attributes could not be read"] if not head.xattrs else []
    return "".join([*parts, *([f"; {head.vanished} files were removed meanwhile"] if head.vanished else [])])

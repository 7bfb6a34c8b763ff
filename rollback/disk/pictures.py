"""Whole disks: the pictures of a fleet's hosts taken, kept with a snapshot, found again, and compared host by host."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from nornir_upgrade.core.engine import Fleet
from nornir_upgrade.core.errors import CommandFailed, Failure, HostUnreadable, InvalidInput, TimedOut
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.filesystem import walk
from nornir_upgrade.core.filesystem.picture import Comparison, Head, Picture, compare, pack, unpack
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.runner.session import ask_each, refuse_lost
from rollback.snapshot import Snapshot

from .rules import Judgement, Rule, judge, meanings

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What differs on a host's disks, judged by the rules. `heads` are those of the pictures before and after."""

    host: str
    comparison: Comparison
    judgement: Judgement
    heads: tuple[Head, Head]


def take(
    fleet: Fleet, names: Iterable[str], rules: Iterable[Rule], note: Note
) -> tuple[dict[str, Picture], dict[str, Failure]]:
    """The pictures of hosts as they are now, by host, and why there is none of the others.

    Raises as `walk.take` where there is none at all.
    """
    wanted = meanings(rules)

    def look(host: Host) -> Picture:
        try:
            found = walk.take(host, wanted, lambda at: note(f"{at.host}: {at.read} of {at.files} files are read"))
        except (CommandFailed, InvalidInput, TimedOut) as failure:
            raise HostUnreadable(failure.message, hint=failure.hint) from failure
        note(f"{host.name}: {len(found.records)} paths are in the picture{_caution(found.head)}")
        return found

    found, lost = ask_each(fleet, tuple(names), look)
    if lost and not found:
        refuse_lost(lost)
    return found, lost


def keep(pictures: Mapping[str, Picture], facts: Iterable[HostFacts], store: Store) -> tuple[HostFacts, ...]:
    """Afterwards the pictures are in the store; returns the facts, which refer to them."""
    return tuple(
        replace(one, picture=store.put(pack(pictures[one.host]))) if one.host in pictures else one for one in facts
    )


def kept(snapshot: Snapshot, store: Store) -> dict[str, Picture]:
    """The pictures of a snapshot, by host. Raises `InvalidInput` where it has none, `Unobtainable`, `DigestMismatch`."""
    found = {
        one.host: unpack(store.get(one.picture), f"snapshot {snapshot.id}, host {one.host}")
        for one in snapshot.hosts
        if one.picture
    }
    if not found:
        raise InvalidInput(
            f"snapshot {snapshot.id} has no picture of whole disks", hint="take one with: rollback snapshot --whole"
        )
    return found


def verdicts(then: Mapping[str, Picture], now: Mapping[str, Picture], rules: Iterable[Rule]) -> tuple[Verdict, ...]:
    """What differs on the hosts of which both sides have a picture."""
    ordered = tuple(rules)
    return tuple(_verdict(host, then[host], now[host], ordered) for host in sorted(then.keys() & now.keys()))


def _verdict(host: str, one: Picture, other: Picture, rules: tuple[Rule, ...]) -> Verdict:
    found = compare(one, other)
    return Verdict(host, found, judge(found.changes, rules, one, other), (one.head, other.head))


def _caution(head: Head) -> str:
    parts = ["; extended attributes could not be read"] if not head.xattrs else []
    return "".join([*parts, *([f"; {head.vanished} files went meanwhile"] if head.vanished else [])])

"""Batches of hosts: a canary first, then growing, and never a whole quorum at once."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .errors import InvalidInput

_ENTRY = re.compile(r"(?P<number>[0-9]{1,6})(?P<percent>%?)", re.ASCII)
_HINT = "as 1,10%,100%: numbers of hosts, or percentages of them; the last one repeats"


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a batch: a number of hosts, or a percentage of all hosts."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """The size for `total` hosts, rounded up: a percentage of few hosts is at least one."""
        return -(-total * self.number // 100) if self.percent else self.number


def sizes(serial: str) -> tuple[Size, ...]:
    """The sizes that `serial` lists. Raises `InvalidInput` for an entry that is no size or is 0, and if batches would shrink."""
    listed: list[Size] = []
    for entry in serial.split(","):
        match = _ENTRY.fullmatch(entry.strip())
        if not match or int(match["number"]) < 1:
            raise InvalidInput(f"serial {serial!r}: {entry.strip()!r} is not the size of a batch", hint=_HINT)
        size = Size(int(match["number"]), bool(match["percent"]))
        if size.percent and size.number > 100:
            raise InvalidInput(f"serial {serial!r}: {entry.strip()} is more than all hosts", hint=_HINT)
        if any(one.percent == size.percent and one.number > size.number for one in listed):
            raise InvalidInput(f"serial {serial!r}: {entry.strip()} is smaller than a batch before it", hint=_HINT)
        listed.append(size)
    return tuple(listed)


def batches(
    hosts: Sequence[str], serial: str, *, quorums: Mapping[str, Collection[str]] | None = None
) -> tuple[tuple[str, ...], ...]:
    """`hosts` in batches, each host once. Their order is kept, except that a quorum may make a host wait.

    The size of batch n is entry n of `serial`; the last entry repeats. A batch is never smaller than the size before.
    `quorums`: name -> all members, including those that are not in `hosts`. A batch holds at most (n - 1) // 2 of n members, so that
    a majority remains. Of one or two members it holds one: they have no majority to keep.
    """
    listed = sizes(serial)
    groups = [frozenset(members) for members in (quorums or {}).values()]
    waiting, size = list(hosts), 0
    made: list[tuple[str, ...]] = []
    while waiting:
        size = max(size, listed[min(len(made), len(listed) - 1)].of(len(hosts)))
        batch = _batch(waiting, size, groups)
        waiting = [host for host in waiting if host not in batch]
        made.append(tuple(batch))
    return tuple(made)


def spared(members: int) -> int:
    """How many of so many members may be down at once while a majority remains; at least one."""
    return max(1, (members - 1) // 2)


def _batch(waiting: Sequence[str], size: int, groups: Sequence[frozenset[str]]) -> list[str]:
    batch: list[str] = []
    for host in waiting:
        room = all(len(group.intersection(batch)) < spared(len(group)) for group in groups if host in group)
        if room and len(batch) < size:
            batch.append(host)
    return batch

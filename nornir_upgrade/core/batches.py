"""Waves: hosts in batches, a canary first, then growing, and never a whole quorum at once."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .errors import InvalidInput

_ENTRY = re.compile(r"(?P<number>[0-9]{1,6})(?P<percent>%?)", re.ASCII)
_HINT = "as 1,10%,100%: numbers of hosts, or percentages of them; the last one repeats"


@dataclass(frozen=True, slots=True)
class Size:
    """How large a batch is: a number of hosts, or a percentage of all."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """How many of `total` hosts, rounded up, so that a percentage of few hosts is still one."""
        return -(-total * self.number // 100) if self.percent else self.number


def sizes(serial: str) -> tuple[Size, ...]:
    """The sizes that `serial` lists. Raises `InvalidInput` where it is none, where one is 0, and where batches would shrink."""
    found: list[Size] = []
    for entry in serial.split(","):
        match = _ENTRY.fullmatch(entry.strip())
        if not match or int(match["number"]) < 1:
            raise InvalidInput(f"serial {serial!r}: {entry.strip()!r} is no size of a batch", hint=_HINT)
        size = Size(int(match["number"]), bool(match["percent"]))
        if size.percent and size.number > 100:
            raise InvalidInput(f"serial {serial!r}: {entry.strip()} is more than all hosts", hint=_HINT)
        if any(one.percent == size.percent and one.number > size.number for one in found):
            raise InvalidInput(f"serial {serial!r}: {entry.strip()} is smaller than a batch before it", hint=_HINT)
        found.append(size)
    return tuple(found)


def batches(
    hosts: Sequence[str], serial: str, *, quorums: Mapping[str, Collection[str]] | None = None
) -> tuple[tuple[str, ...], ...]:
    """`hosts` in batches, each host once, in their order but where a quorum makes one wait.

    Batch n is as large as entry n of `serial` says, the last entry repeating, and never smaller than the batch size before.
    `quorums`: name -> all members (those that are not in `hosts` too). A batch holds no more of them than their quorum can
    do without, (n - 1) // 2 of n; of one or two members there is no quorum to keep, and it holds one.
    """
    wanted = sizes(serial)
    groups = [frozenset(members) for members in (quorums or {}).values()]
    waiting, size = list(hosts), 0
    found: list[tuple[str, ...]] = []
    while waiting:
        size = max(size, wanted[min(len(found), len(wanted) - 1)].of(len(hosts)))
        batch = _batch(waiting, size, groups)
        waiting = [host for host in waiting if host not in batch]
        found.append(tuple(batch))
    return tuple(found)


def spared(members: int) -> int:
    """How many of so many members may be away at once: what a majority can do without, but never none."""
    return max(1, (members - 1) // 2)


def _batch(waiting: Sequence[str], size: int, groups: Sequence[frozenset[str]]) -> list[str]:
    batch: list[str] = []
    for host in waiting:
        room = all(len(group.intersection(batch)) < spared(len(group)) for group in groups if host in group)
        if room and len(batch) < size:
            batch.append(host)
    return batch

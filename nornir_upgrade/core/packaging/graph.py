"""Graphs of slots, each with the slots that it points to. Pure."""

from collections.abc import Iterable, Mapping

from .model import PackageName as Slot


def components(slots: Iterable[Slot], later: Mapping[Slot, Iterable[Slot]]) -> list[frozenset[Slot]]:
    """The strongly connected components, each after those that it points to (Tarjan's algorithm, without recursion)."""
    index: dict[Slot, int] = {}
    low: dict[Slot, int] = {}
    stack: list[Slot] = []
    groups: list[frozenset[Slot]] = []
    done: set[Slot] = set()
    for root in sorted(slots):
        if root in index:
            continue
        walk = [(root, iter(sorted(later.get(root, ()))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while walk:
            slot, following = walk[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    walk.append((other, iter(sorted(later.get(other, ())))))
                    break
                if other not in done:
                    low[slot] = min(low[slot], index[other])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[slot])
                if low[slot] == index[slot]:
                    at = stack.index(slot)
                    groups.append(frozenset(stack[at:]))
                    done.update(stack[at:])
                    del stack[at:]
    return groups

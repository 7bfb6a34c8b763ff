"""Greedy choice: without python-sat, a consistent set of packages near the wanted one, not proven the nearest. Pure.

It starts with the wanted versions; a package whose version is not available stays as it is. While a rule is broken, one more package of
that rule stays as it is, a provider before the package that needs it. Each package changes at most once, so the walk ends. On a
consistent host the result is consistent; on another host there may be no result.
"""

from collections.abc import Iterator, Sequence

from nornir_upgrade.core.packaging.model import PackageName
from rollback.packaging.clauses import Clause, Reason

from .encoding import Encoding, holds
from .preferences import PackageGoal

Found = tuple[frozenset[int], dict[PackageName, tuple[Reason, ...]]]


def choose_consistent(encoding: Encoding, aims: Sequence[PackageGoal]) -> Found | None:
    """A consistent set, and for each package that deviates the rule that moved it; `None` where none was found."""
    walk = _Walk(encoding, aims)
    walk.run()
    chosen = walk.chosen
    return None if encoding.violated(chosen) else (chosen, walk.moved)


class _Walk:
    def __init__(self, encoding: Encoding, aims: Sequence[PackageGoal]) -> None:
        self.encoding = encoding
        self.guests = {aim.key for aim in aims if aim.guest}
        self.second = {aim.key: self._second(aim) for aim in aims}
        self.on = {aim.key: encoding.find(aim.key, aim.wanted) if aim.wanted else 0 for aim in aims}
        self.moved: dict[PackageName, tuple[Reason, ...]] = {}
        self._about: dict[PackageName, list[Clause]] = {}
        for clause in encoding.clauses:
            for key in dict.fromkeys(self._keys(clause)):
                self._about.setdefault(key, []).append(clause)

    @property
    def chosen(self) -> frozenset[int]:
        return frozenset(variable for variable in self.on.values() if variable)

    def run(self) -> None:
        waiting = list(reversed(self.encoding.clauses))
        present = set(self.chosen)
        while waiting:
            clause = waiting.pop()
            if holds(clause, present):
                continue
            key = self._next(clause)
            if key is None:
                continue
            self.moved[key] = (clause.reason,)
            present.discard(self.on[key])
            self.on[key] = self.second[key]
            present |= {self.on[key]} - {0}
            waiting += self._about[key]

    def _second(self, aim: PackageGoal) -> int:
        """A guest that cannot stay is removed, so that a package of the snapshot can be restored."""
        return self.encoding.find(aim.key, aim.second) if aim.second and not aim.guest else 0

    def _next(self, clause: Clause) -> PackageName | None:
        """The package that stays as it is: first one that satisfies the rule by it; last the one whose demand it is."""
        keys = list(self._keys(clause))
        free = [key for key in dict.fromkeys((*keys[1:], *keys[:1])) if key not in self.moved]
        mending = sorted((key for key in free if self._mends(clause, key)), key=lambda key: key not in self.guests)
        return next(iter((*mending, *free)), None)

    def _mends(self, clause: Clause, key: PackageName) -> bool:
        for literal, of in zip(clause.literals, self._keys(clause), strict=True):
            if of == key and (literal > 0) == (abs(literal) == self.second[key]):
                return True
        return False

    def _keys(self, clause: Clause) -> Iterator[PackageName]:
        return (self.encoding.keys[abs(literal) - 1] for literal in clause.literals)

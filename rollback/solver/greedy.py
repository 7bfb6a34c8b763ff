"""Greedy choice: without python-sat, a consistent set of packages near the wanted one, not proven the nearest. Pure.

The keep-new closure: begin with what is wanted, and let packages stay as they are where it cannot be had. While a rule is
broken, let one more package that the rule names stay as it is, a provider before whom it provides for. Each does so once, so
that it ends; where the host is consistent as it is, so is the end. Where it is not, there may be no answer here.
"""

from collections.abc import Iterator, Sequence

from nornir_upgrade.core.packaging.model import PackageName
from rollback.packaging.clauses import Clause, Reason

from .encoding import Encoding, holds
from .preferences import PackageGoal

Found = tuple[frozenset[int], dict[PackageName, tuple[Reason, ...]]]


def choose_consistent(encoding: Encoding, aims: Sequence[PackageGoal]) -> Found | None:
    """The closure, and for each package that is not as wanted the rule that moved it; `None` where the end is not consistent."""
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
        """A guest that cannot stay as it is goes, rather than that a package of the snapshot does not come back."""
        return self.encoding.find(aim.key, aim.second) if aim.second and not aim.guest else 0

    def _next(self, clause: Clause) -> PackageName | None:
        """Which package gives way: one that mends the rule by it, if there is any; the one whose demand it is comes last."""
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

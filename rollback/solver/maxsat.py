"""Optimal choice: the provably nearest consistent set of packages, by python-sat's MaxSAT engine RC2. Beside `explain` the only
importer of python-sat.

The levels of `preferences` become weights. The unit of a level outweighs all lower levels together, so RC2's optimum is the
lexicographic one. The same engine then picks the first of the optima by preference 9: when RC2 has finished, the optima are exactly
the models under its assumptions.
"""

from collections.abc import Sequence

from pysat.examples.rc2 import RC2Stratified
from pysat.formula import WCNF

from .encoding import Encoding
from .preferences import PackageGoal, Soft, levels, ranked

_ENGINE = "g3"


def choose_nearest(encoding: Encoding, aims: Sequence[PackageGoal]) -> frozenset[int] | None:
    """The variables of the unique best set by `preferences`; `None` if no set satisfies the clauses."""
    size = len(encoding.packages)
    formula = WCNF()
    for clause in encoding.clauses:
        formula.append(list(clause.literals))
    for literals, weight in _weighed(levels(encoding, aims)) or _indifferent(size):
        formula.append(list(literals), weight=weight)
    formula.nv = max(formula.nv, size)
    with RC2Stratified(formula, solver=_ENGINE) as engine:
        model = engine.compute()
        if model is None:
            return None
        return _first(encoding, aims, _Optima(engine, size), _chosen(model, size))


def _indifferent(size: int) -> list[Soft]:
    """Where no preference tells sets apart, all that satisfy the clauses are optima. The engine needs one: of a variable that is
    no package's.
    """
    return [((size + 1,), 1)]


def _weighed(preferences: Sequence[Sequence[Soft]]) -> list[Soft]:
    """One weight for each clause: a level's unit is one more than all lower levels weigh together."""
    weighed: list[Soft] = []
    unit = 1
    for level in reversed(preferences):
        weighed += [(literals, weight * unit) for literals, weight in level]
        unit += sum(weight for _, weight in level) * unit
    return weighed


class _Optima:
    """All optima of an engine that has found one."""

    def __init__(self, engine: RC2Stratified, size: int) -> None:
        self._engine, self._size = engine, size
        self._assumed: list[int] = list(engine.active_assumps())

    def fix(self, literal: int) -> None:
        """From now on only optima with this literal count; there is one."""
        self._assumed.append(literal)

    def one_with(self, literals: Sequence[int]) -> frozenset[int] | None:
        """An optimum with these literals, or `None`."""
        if not self._engine.oracle.solve(assumptions=[*self._assumed, *literals]):
            return None
        return _chosen(self._engine.oracle.get_model(), self._size)


def _first(encoding: Encoding, aims: Sequence[PackageGoal], optima: _Optima, best: frozenset[int]) -> frozenset[int]:
    for aim in sorted(aims, key=lambda aim: aim.key):
        variables = ranked(encoding, aim)
        nothing = tuple(-v for v in variables)
        choices = [(v,) for v in variables]
        for choice in [nothing, *choices] if not aim.wanted else [*choices, nothing]:
            if all((literal > 0) == (abs(literal) in best) for literal in choice):
                break
            better = optima.one_with(choice)
            if better is not None:
                best = better
                break
        for variable in variables:
            optima.fix(variable if variable in best else -variable)
    return best


def _chosen(model: Sequence[int], size: int) -> frozenset[int]:
    return frozenset(literal for literal in model if 0 < literal <= size)

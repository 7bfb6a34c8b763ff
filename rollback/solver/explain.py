"""Explanation: for each package that deviates, a minimal set of reasons, and the root cause.

Every clause gets a selector; the clauses whose selectors are in a core of an unsatisfiable call are the reasons. A core is
made minimal by deletion: without any one of its reasons, the package could reach its goal.
"""

from collections.abc import Mapping, Sequence

from pysat.solvers import Solver

from nornir_upgrade.core.packaging.model import PackageName
from rollback.packaging.clauses import Clause, Reason, Rule

from .encoding import Encoding
from .preferences import PackageGoal
from .reasons import merged

_ENGINE = "g3"
_LATE: tuple[Rule, ...] = ("essential", "kept")
"""Rules that are given as reasons only where those before do not suffice: an explanation by what is missing says more."""


def explain(
    encoding: Encoding, aims: Sequence[PackageGoal], chosen: frozenset[int]
) -> dict[PackageName, tuple[Reason, ...]]:
    """The reasons for each package of `aims` that does not reach its goal in `chosen`, the optimum.

    A reason is a rule, or a package that the optimum does bring to its goal: every better answer violates one of them.
    The reasons for a removed package also explain why no other version of it stays.
    """
    with _Court(encoding, aims, chosen) as court:
        return {aim.key: court.reasons(aim, chosen) for aim in aims if not met(encoding, aim, chosen)}


def contradiction(encoding: Encoding) -> tuple[Reason, ...]:
    """A minimal set of rules that no set of packages satisfies; empty if the rules can be satisfied."""
    with _Court(encoding, (), frozenset()) as court:
        return court.core(())


def met(encoding: Encoding, aim: PackageGoal, chosen: frozenset[int]) -> bool:
    """Whether the package reaches its goal in `chosen`."""
    there = [encoding.packages[v - 1].version for v in encoding.variables.get(aim.key, ()) if v in chosen]
    return there == ([aim.wanted] if aim.wanted else [])


class _Court:
    """A solver that holds every clause under a selector, and knows the reason of each selector and each kept package."""

    def __init__(self, encoding: Encoding, aims: Sequence[PackageGoal], chosen: frozenset[int]) -> None:
        self.encoding = encoding
        self._clauses: dict[int, Clause] = {}  # by selector
        self._barred = {clause.literals for clause in encoding.clauses if len(clause.literals) == 1}  # tell nothing new
        self._solver = Solver(_ENGINE)
        for clause in encoding.clauses:
            self._hold(clause)
        for aim in aims:
            if met(encoding, aim, chosen):
                self._keep(aim)
            elif aim.wanted and any(v in chosen for v in encoding.standing(aim.key)):
                must = Reason("present", aim.key.name, "", "must stay installed")
                self._hold(Clause(encoding.standing(aim.key), must))
        self._stages = [self._without(_LATE[number:]) for number in range(len(_LATE) + 1)]

    def __enter__(self) -> "_Court":
        return self

    def __exit__(self, *_: object) -> None:
        self._solver.delete()

    def reasons(self, aim: PackageGoal, chosen: frozenset[int]) -> tuple[Reason, ...]:
        variables = self.encoding.variables.get(aim.key, ())
        exact = self.encoding.find(aim.key, aim.wanted) if aim.wanted else 0
        against = self._against((exact,) if exact else tuple(-v for v in variables))
        if aim.wanted and chosen.isdisjoint(self.encoding.standing(aim.key)):
            others = (self._against((v,)) for v in variables if v != exact and (-v,) not in self._barred)
            against += [clause for clauses in others for clause in clauses]
        return merged(clause.reason for clause in against)

    def core(self, demanded: Sequence[int]) -> tuple[Reason, ...]:
        """The reasons against these literals, merged and in a stable order; empty if they can be satisfied."""
        return merged(clause.reason for clause in self._against(demanded))

    def _against(self, demanded: Sequence[int]) -> list[Clause]:
        for selectors in self._stages:
            if not self._solver.solve(assumptions=[*demanded, *selectors]):
                blamed = sorted(set(self._solver.get_core() or ()) - set(demanded))
                return minimal(demanded, [self._clauses[selector] for selector in blamed])
        return []

    def _without(self, rules: Sequence[Rule]) -> list[int]:
        return [selector for selector, clause in self._clauses.items() if clause.reason.rule not in rules]

    def _hold(self, clause: Clause) -> None:
        selector = len(self.encoding.packages) + len(self._clauses) + 1
        self._solver.add_clause([*clause.literals, -selector])
        self._clauses[selector] = clause

    def _keep(self, aim: PackageGoal) -> None:
        name = aim.key.name
        if aim.wanted:
            there = self.encoding.find(aim.key, aim.wanted)
            self._hold(Clause((there,), Reason("kept", name, aim.wanted, "is in the plan")))
            return
        for variable in self.encoding.variables.get(aim.key, ()):
            version = self.encoding.packages[variable - 1].version
            self._hold(Clause((-variable,), Reason("kept", name, version, "is not in the plan")))


def minimal(demanded: Sequence[int], core: Sequence[Clause]) -> list[Clause]:
    """Those of the clauses, which contradict what is demanded, that are needed for it; what the plan keeps is left out first.

    In a solver of their own: the one of all rules would look at all of them each time.
    """
    numbers = {abs(literal): 0 for clause in core for literal in clause.literals} | {
        abs(variable): 0 for variable in demanded
    }
    numbers = {variable: number for number, variable in enumerate(sorted(numbers), 1)}
    selectors = {len(numbers) + number: clause for number, clause in enumerate(core, 1)}
    first = [_renumbered(literal, numbers) for literal in demanded]
    with Solver(_ENGINE) as solver:
        for selector, clause in selectors.items():
            solver.add_clause([*(_renumbered(literal, numbers) for literal in clause.literals), -selector])
        needed = list(selectors)
        for selector in sorted(selectors, key=lambda selector: (selectors[selector].reason.rule != "kept", selector)):
            rest = [other for other in needed if other != selector]
            if not solver.solve(assumptions=[*first, *rest]):
                needed = rest
    return [selectors[selector] for selector in needed]


def _renumbered(literal: int, numbers: Mapping[int, int]) -> int:
    return numbers[abs(literal)] if literal > 0 else -numbers[abs(literal)]

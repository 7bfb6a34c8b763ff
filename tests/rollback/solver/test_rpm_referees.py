"""rpm's rules against libsolv and librpm: a set of packages is consistent for all or for none, and every range is met alike.

What libsolv does that the rules do not follow, since librpm, which has the last word, does not either:

- A boolean Conflicts that the package itself meets a term of (`Conflicts: (x or y)` in what provides x): libsolv leaves the package
  itself out, where rpm does so only for a plain `Conflicts: x`. rpm refuses to install such a package, and nobody builds one.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.packaging.rpm.dependencies import Rpm
from nornir_upgrade.core.packaging.rpm.rich_dependencies import Capability, Dependency, Rich
from nornir_upgrade.core.packaging.rpm.rules import meets, overlap
from nornir_upgrade.core.version.evr import sort_key
from rollback.packaging.rpm.clauses import RpmRules
from rollback.solver.encoding import Reason, encode
from tests.conftest import Say
from tests.rollback.rpm_referees import librpm, libsolv
from tests.rollback.rpmworlds import INSTALL_ONLY, NATIVE, made, some

RULES = RpmRules(NATIVE, frozenset({INSTALL_ONLY}))
MANY = 20_000


def against(rpms: Sequence[Rpm]) -> list[Reason]:
    """What the rules have against all of these standing together."""
    encoding = encode(rpms, (), RULES, ())
    return [clause.reason for clause in encoding.violated(range(1, len(rpms) + 1))]


def agrees_with_libsolv(rpms: Sequence[Rpm]) -> bool:
    """Whether libsolv says the same, its quirk aside; raises where it says another thing."""
    mine, its = against(rpms), libsolv(rpms, (INSTALL_ONLY,))
    quirk = not its and bool(mine) and {(one.package, one.version, one.text) for one in mine} <= set(_own_terms(rpms))
    assert quirk or bool(mine) == bool(its), (list(map(str, rpms)), list(map(str, mine)), its)
    return not quirk


def _own_terms(rpms: Iterable[Rpm]) -> Iterator[tuple[str, str, str]]:
    for one in rpms:
        for demand in one.conflicts:
            if isinstance(demand, Rich) and any(meets(one, term) for term in _single(demand)):
                yield one.name, one.version, f"conflicts with {demand}"


def _single(one: Dependency) -> Iterator[Dependency]:
    if isinstance(one, Capability) or one.op in ("with", "without"):
        yield one
    else:
        for term in one.terms:
            yield from _single(term)


def agree_with_librpm(sets: Sequence[Sequence[Rpm]]) -> None:
    for rpms, its in zip(sets, librpm(sets), strict=True):
        mine = [one for one in against(rpms) if one.text.startswith(("needs ", "conflicts with "))]
        assert bool(mine) == bool(its), (list(map(str, rpms)), list(map(str, mine)), its)


def no_two_level(rpms: Iterable[Rpm]) -> list[Rpm]:
    """Of packages of one name and level versions the last: librpm's transaction has them in each other's place."""
    return list({(one.name, sort_key(one.version, "rpm")): one for one in rpms}.values())


@settings(max_examples=250, deadline=None)
@given(st.randoms(use_true_random=False))
def test_libsolv_agrees(chance: Random) -> None:
    rpms = some(chance)
    event("the same" if agrees_with_libsolv(rpms) else "quirk")


def test_librpm_agrees() -> None:
    chance = Random(1)
    agree_with_librpm([no_two_level(some(chance)) for _ in range(400)])


@pytest.mark.lab
def test_both_agree_on_thousands(say: Say) -> None:
    chance = Random(20_000)
    sets = [some(chance) for _ in range(MANY)]
    same = sum(agrees_with_libsolv(rpms) for rpms in sets)
    agree_with_librpm([no_two_level(rpms) for rpms in sets])
    fine = sum(not against(rpms) for rpms in sets)
    say(
        f"rpm: {MANY} random sets, {fine} of them consistent: libsolv agrees on {same}, the other {MANY - same} are its quirk "
        f"with boolean Conflicts; librpm agrees on Requires and Conflicts of all {MANY}"
    )
    assert MANY - same < MANY / 50


def test_every_range_is_met_as_librpm_meets_it() -> None:
    bounds = ("1", "1-1", "1-2", "2~rc1-1", "1:0.5")
    ranges = [Capability("x"), *(Capability("x", op, bound) for op in ("<", "<=", "=", ">=", ">") for bound in bounds)]  # type: ignore[arg-type]
    pairs = list(product(ranges, repeat=2))
    sets = [(made("a=1-1", provides=str(one)), made("b=1-1", requires=str(other))) for one, other in pairs]
    for (one, other), its in zip(pairs, librpm(sets), strict=True):
        assert overlap(one, other) == (not its), (str(one), str(other))

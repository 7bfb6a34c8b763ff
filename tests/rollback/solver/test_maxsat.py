"""The optimum against an oracle that tries every set of packages, and its laws: unique, the same in any order, consistent."""

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.packaging.deb.dependencies import DebPackage
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.version import evr
from rollback.manifest.identity import Slots
from rollback.packaging.clauses import Clause, Reason, Rules, V
from rollback.packaging.deb.clauses import DebRules
from rollback.packaging.rpm.clauses import RpmRules
from rollback.solver.encoding import Encoding, encode, holds, plain_key
from rollback.solver.explain import explain, met, minimal
from rollback.solver.greedy import choose_consistent
from rollback.solver.maxsat import choose_nearest
from rollback.solver.preferences import PackageGoal
from tests.conftest import Say
from tests.rollback import rpmworlds
from tests.rollback.worlds import NATIVE, debs

Question = tuple[Encoding, tuple[PackageGoal, ...]]


@st.composite
def deb_questions(draw: st.DrawFn) -> Question:
    """Up to 8 of Debian's packages."""
    found = draw(st.lists(debs(), min_size=1, max_size=8, unique_by=lambda one: (one.key, one.version)))
    return question(draw, found, DebRules(NATIVE), plain_key)


@st.composite
def rpm_questions(draw: st.DrawFn) -> Question:
    """Up to 8 of rpm's, with one name of which any number of versions may stand."""
    several = frozenset({rpmworlds.INSTALL_ONLY})
    apart = Slots(several, frozenset((rpmworlds.INSTALL_ONLY, arch) for arch in rpmworlds.ARCHS))
    found = rpmworlds.some(draw(st.randoms(use_true_random=False)), 8)
    return question(draw, found, RpmRules(rpmworlds.NATIVE, several), apart.key)


def question(draw: st.DrawFn, found: list[V], rules: Rules[V], key: Callable[[V], PackageName]) -> Question:
    """Some of `found` are in the snapshot, some on the host, some cannot be had, some are essential, one has to stay."""
    lacking = draw(st.sets(st.sampled_from(found), max_size=2))
    essential = draw(st.sets(st.sampled_from([one.name for one in found]), max_size=1))
    barred = draw(st.sets(st.sampled_from(found), max_size=1))
    staying = [(one, "must stay") for one in draw(st.sets(st.sampled_from(found), max_size=1))]
    encoding = encode(found, lacking, rules, essential, barred, staying=staying, key=key)
    aims = []
    for each in sorted(set(map(key, found))):
        versions = st.sampled_from(["", *(one.version for one in found if key(one) == each)])
        wanted, second, focus, asked, guest = draw(versions), draw(versions), *(draw(st.booleans()) for _ in range(3))
        aims.append(
            PackageGoal(each, wanted, second, focus, asked, guest and bool(wanted))
        )  # a guest is wanted: it stays
    return encoding, tuple(aims)


BOTH = st.one_of(deb_questions(), rpm_questions())


def cost(encoding: Encoding, aims: tuple[PackageGoal, ...], chosen: frozenset[int]) -> tuple[object, ...]:
    """What the table in `aim` says, written down once more: the smaller, the better."""
    versions = {number: one.version for number, one in enumerate(encoding.packages, 1)}
    there = {aim.key: [versions[v] for v in encoding.variables[aim.key] if v in chosen] for aim in aims}

    def gone(one: PackageGoal) -> bool:
        return not set(encoding.standing(one.key)) & chosen

    guests, own = [a for a in aims if a.guest], [a for a in aims if not a.guest]
    focus, rest = [a for a in own if a.focus], [a for a in own if not a.focus]
    wrong = {aim.key: there[aim.key] != ([aim.wanted] if aim.wanted else []) for aim in aims}
    others = [aim for aim in aims if there[aim.key] and there[aim.key][0] not in {aim.wanted, aim.second} - {""}]
    return (
        sum(bool(a.wanted) and gone(a) for a in focus),
        sum(wrong[a.key] for a in focus),
        sum(bool(a.wanted) and a.asked and gone(a) for a in rest),
        sum(bool(a.wanted) and wrong[a.key] for a in rest),
        sum(bool(a.wanted) and not a.asked and gone(a) for a in rest),
        sum(bool(a.wanted) and wrong[a.key] for a in guests),
        sum(bool(a.wanted) and gone(a) for a in guests),
        sum(not a.wanted and wrong[a.key] for a in rest),
        len(others),
        sum(distance(encoding, aim, there[aim.key][0]) for aim in others),
        tuple(place(encoding, aim, there[aim.key]) for aim in sorted(aims, key=lambda aim: aim.key)),
    )


def in_order(encoding: Encoding, aim: PackageGoal) -> list[str]:
    found = [encoding.packages[v - 1].version for v in encoding.variables[aim.key]]
    for end in range(len(found), 1, -1):  # by swapping neighbours: stable, and no key is needed
        for index in range(end - 1):
            one, other = (evr.found(version, encoding.flavour) for version in found[index : index + 2])
            if evr.compare(one, other) > 0:
                found[index], found[index + 1] = found[index + 1], found[index]
    return found


def distance(encoding: Encoding, aim: PackageGoal, version: str) -> int:
    known, anchor = in_order(encoding, aim), aim.wanted or aim.second
    if not anchor:
        return known.index(version) + 1
    return abs(known.index(version) - known.index(anchor))


def place(encoding: Encoding, aim: PackageGoal, there: list[str]) -> int:
    better = [version for version in (aim.wanted, aim.second) if version] + in_order(encoding, aim)[::-1]
    choices = [[version] for version in dict.fromkeys(better)]
    return ([*choices, []] if aim.wanted else [[], *choices]).index(there)


def every(encoding: Encoding) -> list[frozenset[int]]:
    found = (
        frozenset(number for number, there in enumerate(bits, 1) if there)
        for bits in product((False, True), repeat=len(encoding.packages))
    )
    return [chosen for chosen in found if not encoding.violated(chosen)]


@settings(max_examples=150, deadline=None)
@given(deb_questions())
def test_the_optimum_is_the_best_of_all_sets(asked: Question) -> None:
    the_best_of_all_sets(*asked)


@settings(max_examples=150, deadline=None)
@given(rpm_questions())
def test_the_optimum_is_the_best_of_all_sets_of_rpm(asked: Question) -> None:
    the_best_of_all_sets(*asked)


@pytest.mark.lab
@pytest.mark.parametrize("questions", [deb_questions(), rpm_questions()], ids=["deb", "rpm"])
def test_the_optimum_of_thousands(questions: st.SearchStrategy[Question], say: Say) -> None:
    seen: list[int] = []

    @settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(questions)
    def each(asked: Question) -> None:
        the_best_of_all_sets(*asked)
        seen.append(len(asked[0].packages))

    each()
    say(f"optimum: {len(seen)} universes of up to {max(seen)} packages, each the best of all sets by brute force")


def the_best_of_all_sets(encoding: Encoding, aims: tuple[PackageGoal, ...]) -> None:
    possible = every(encoding)
    best = min(possible, key=lambda chosen: cost(encoding, aims, chosen), default=None)
    assert choose_nearest(encoding, aims) == best
    assert len({cost(encoding, aims, chosen) for chosen in possible}) == len(possible)


def test_where_nothing_is_preferred_the_first_by_rank_is_the_optimum() -> None:
    """No clause and no preference that weighs: the engine itself has no model of that."""
    one = DebPackage("a", "all", "1.0", "no", False, (), (), ())
    encoding = encode([one], (), DebRules(NATIVE), ())
    for second, best in (("1.0", frozenset({1})), ("", frozenset[int]())):
        the_best_of_all_sets(encoding, (PackageGoal(plain_key(one), second, second),))
        assert choose_nearest(encoding, (PackageGoal(plain_key(one), second, second),)) == best
    assert choose_nearest(encoding, ()) is not None


@settings(max_examples=60, deadline=None)
@given(BOTH)
def test_reasons_are_given_for_each_deviation_and_no_other(asked: Question) -> None:
    encoding, aims = asked
    chosen = choose_nearest(encoding, aims)
    if chosen is None:
        return
    why = explain(encoding, aims, chosen)
    assert why.keys() == {aim.key for aim in aims if not met(encoding, aim, chosen)}
    assert all(why.values())


@settings(max_examples=100, deadline=None)
@given(BOTH)
def test_the_closure_is_consistent_or_nothing(asked: Question) -> None:
    encoding, aims = asked
    found = choose_consistent(encoding, aims)
    wanted = frozenset(encoding.find(aim.key, aim.wanted) for aim in aims if aim.wanted)
    if found is None:
        assert encoding.violated(wanted)
    else:
        assert not encoding.violated(found[0])
        assert encoding.violated(wanted) or found == (wanted, {})


@settings(max_examples=60, deadline=None)
@given(st.lists(debs(), max_size=6, unique_by=lambda one: (one.key, one.version)), st.randoms())
def test_the_clauses_do_not_depend_on_the_order(found: list[DebPackage], chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert encode(found, found[:1], DebRules(NATIVE), ()) == encode(shuffled, found[:1], DebRules(NATIVE), ())


IDLE = Reason("depends", "a", "1", "needs b")
LITERAL = st.integers(1, 4).flatmap(lambda number: st.sampled_from((number, -number)))
CLAUSE = st.lists(LITERAL, min_size=1, max_size=2, unique_by=abs).map(lambda literals: Clause(tuple(literals), IDLE))


def possible(clauses: list[Clause], demanded: int) -> bool:
    choices = [
        tuple(number for number, there in enumerate(bits, 1) if there) for bits in product((False, True), repeat=4)
    ]
    wanted = Clause((demanded,), IDLE)
    return any(all(holds(clause, chosen) for clause in (*clauses, wanted)) for chosen in choices)


@settings(max_examples=100, deadline=None)
@given(st.lists(CLAUSE, min_size=4, max_size=12), LITERAL)
def test_no_reason_is_idle(clauses: list[Clause], demanded: int) -> None:
    assume(not possible(clauses, demanded))
    needed = minimal((demanded,), clauses)
    assert not possible(needed, demanded)
    for index in range(len(needed)):
        assert possible(needed[:index] + needed[index + 1 :], demanded)

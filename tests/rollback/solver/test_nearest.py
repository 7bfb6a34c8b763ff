"""The nearest way back, by example: policies, partial ways, interrupted starts, what is protected, and why."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace

import pytest

from nornir_upgrade.core.errors import NoSolution, Unobtainable
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.deb.dependencies import DebPackage
from nornir_upgrade.core.packaging.model import State
from rollback.manifest.model import Manifest, document, require_solved
from rollback.manifest.transaction import wants
from rollback.solver.nearest import Nearest
from tests.builders import facts
from tests.rollback.worlds import host, made, offering

TO = {"snapshot": "snapshot-1"}
KEEP = Nearest()

OLD = (
    made("perl=1", depends="libperl (= 1), perl-base (= 1)"),
    made("libperl=1"),
    made("perl-base=1"),
    made("less=1"),
)
NEW = (
    made("perl=2", depends="libperl (= 2), perl-base (= 2)"),
    made("libperl=2"),
    made("perl-base=2"),
    made("less=2"),
)


def back(
    then: Iterable[DebPackage],
    now: Iterable[DebPackage],
    had: Iterable[DebPackage],
    solver: Nearest = KEEP,
    **marks: Iterable[str],
) -> Manifest:
    now = tuple(now)
    return solver(host(then, **marks), host(now, **marks), offering(had, present=now), TO)


def lines(manifest: Manifest) -> dict[str, str]:
    return {change.name: f"{change.action} {change.target}".strip() for change in manifest.changes}


def without(debs: Iterable[DebPackage], *names: str) -> list[DebPackage]:
    return [one for one in debs if one.name not in names]


# ---------------------------------------------------------------------- exact


def test_the_exact_way_is_taken_where_it_can_be() -> None:
    manifest = back(OLD, NEW, OLD)
    assert lines(manifest) == dict.fromkeys(("perl", "libperl", "perl-base", "less"), "downgrade 1")
    assert not manifest.problems and not manifest.deviations


def test_a_snapshot_that_cannot_stand_is_told_and_left_as_little_as_can_be() -> None:
    then = (made("a=1", depends="gone"), made("b=1"))
    manifest = back(then, (made("a=2"), made("b=2")), then)
    assert lines(manifest) == {"a": "keep 2", "b": "downgrade 1"}
    (told,) = manifest.deviations
    assert told.packages == ("a",) and "a=1 needs gone" in told.text
    assert back(then, (made("a=2"),), then, Nearest("fail")).problems


# ---------------------------------------------------------------------- a version that cannot be had


def test_what_cannot_be_had_stays_with_what_it_needs() -> None:
    manifest = back(OLD, NEW, without(OLD, "libperl"))
    assert lines(manifest) == {
        "perl": "keep 2",
        "libperl": "unobtainable 2",
        "perl-base": "keep 2",
        "less": "downgrade 1",
    }
    (told,) = manifest.deviations
    assert (told.rule, told.packages) == ("unobtainable", ("libperl", "perl", "perl-base"))
    why = {change.name: change.why for change in manifest.changes}
    assert why["perl"] == "libperl=1 is in no repository and not installed; perl=1 needs libperl (= 1)"
    assert "perl=2 needs perl-base (= 2)" in why["perl-base"] and "perl must stay installed" in why["perl-base"]
    require_solved([manifest])
    assert {want.name for want in wants(manifest, host(NEW))} == {"less"}


def test_remove_takes_away_what_cannot_be_exact() -> None:
    manifest = back(OLD, NEW, without(OLD, "libperl"), Nearest("remove"))
    assert lines(manifest) == {
        "perl": "remove 2",
        "libperl": "remove 2",
        "perl-base": "downgrade 1",
        "less": "downgrade 1",
    }
    assert {want.goal for want in wants(manifest, host(NEW)) if "perl" in want.name} == {"config-files", "installed"}


def test_fail_refuses_and_says_what_is_missing() -> None:
    with pytest.raises(Unobtainable, match="libperl=1 is in no repository"):
        require_solved([back(OLD, NEW, without(OLD, "libperl"), Nearest("fail"))])


def test_what_is_gone_and_cannot_come_back_is_accounted_for() -> None:
    manifest = back((made("a=1"), made("b=1")), (made("b=1"),), ())
    assert lines(manifest) == {"a": "unobtainable", "b": "keep 1"}
    assert wants(manifest, host((made("b=1"),))) == ()


def test_an_asked_for_package_is_worth_more_than_its_libraries() -> None:
    then = (made("app=1", depends="lib (= 1)"), made("lib=1"), made("other=1", depends="lib (<< 2)"))
    now = (made("app=2", depends="lib (= 2)"), made("lib=2"))
    manifest = back(then, now, (then[0], then[2]), auto=("other", "lib"))
    assert lines(manifest) == {"app": "keep 2", "lib": "unobtainable 2", "other": "keep"}


CORE = (made("app=1", depends="lib (= 1)"), made("lib=1"), made("plugin=1"))


def test_a_package_nobody_asked_for_goes_where_it_would_take_others_from_their_versions() -> None:
    now = (made("app=2", depends="lib (= 2)"), made("lib=2"), made("plugin=2", depends="lib (>= 2)"))
    manifest = back(CORE, now, CORE[:2], auto=("lib", "plugin"))
    assert lines(manifest) == {"app": "downgrade 1", "lib": "downgrade 1", "plugin": "remove 2"}
    why = {change.name: change.why for change in manifest.changes}["plugin"]
    assert "plugin=1 is in no repository" in why and "plugin=2 needs lib (>= 2)" in why and "is in the plan" in why
    assert lines(back(CORE, now, CORE[:2], auto=("lib",)))["plugin"] == "unobtainable 2"


def test_no_package_of_the_snapshot_goes_only_to_be_rid_of_what_it_needs() -> None:
    now = (*CORE[:2], made("plugin=2", depends="more"), made("more=1", depends="most"), made("most=1"))
    manifest = back(CORE, now, CORE[:2], auto=("plugin", "more", "most"))
    assert lines(manifest) == {
        "app": "keep 1",
        "lib": "keep 1",
        "plugin": "unobtainable 2",
        "more": "keep 1",
        "most": "keep 1",
    }


def test_a_version_in_between_serves_where_neither_old_nor_new_can_stand() -> None:
    then = (made("a=1"), made("b=1"))
    now = (made("a=3", depends="b (>= 3)"), made("b=3"))
    had = (then[1], made("a=2", depends="b (<< 3)"))
    assert lines(back(then, now, had)) == {"a": "downgrade 2", "b": "downgrade 1"}


# ---------------------------------------------------------------------- protected and held


def test_nothing_essential_goes() -> None:
    manifest = back((made("a=1"),), (made("a=1"), made("init=1", essential="yes")), ())
    assert lines(manifest) == {"a": "keep 1", "init": "keep 1"}
    assert [(one.rule, one.packages) for one in manifest.deviations] == [("essential", ("init",))]


@pytest.mark.parametrize("field", ["essential", "protected", "important"])
def test_nothing_essential_goes_by_policy(field: str) -> None:
    manifest = back((made("a=1"),), (made("a=2", **{field: "yes"}),), (), Nearest("remove"))
    assert lines(manifest) == {"a": "unobtainable 2"}


def test_rules_that_exclude_each_other_are_no_solution_and_named() -> None:
    now = (made("a=2", essential="yes", depends="gone"),)
    manifest = back((made("a=1", depends="lost"),), now, (made("a=1", depends="lost"),))
    with pytest.raises(NoSolution, match="a=2 needs gone"):
        require_solved([manifest])


def test_a_hold_of_the_snapshot_comes_back_and_what_stays_under_it_is_held() -> None:
    manifest = back(OLD, NEW, without(OLD, "libperl"), hold=("less", "perl"))
    held = {change.name: (change.action, change.hold) for change in manifest.changes}
    assert held["less"] == ("downgrade", True) and held["perl"] == ("held", True)


# ---------------------------------------------------------------------- only some packages


def test_a_partial_way_back_takes_along_what_it_must_and_says_why() -> None:
    manifest = back(OLD, NEW, OLD, Nearest(only=("libper?",)))
    assert lines(manifest) == {
        "libperl": "downgrade 1",
        "perl": "downgrade 1",
        "perl-base": "downgrade 1",
        "less": "keep 2",
    }
    why = {change.name: change.why for change in manifest.changes}
    assert "perl=2 needs libperl (= 2)" in why["perl"]
    assert not manifest.deviations


def test_a_partial_way_back_leaves_alone_what_the_snapshot_lacks_or_has_lost() -> None:
    then, now = (*OLD, made("lost=1")), (*NEW, made("fresh=1"))
    manifest = back(then, now, (*OLD, made("lost=1")), Nearest(only=("less",)))
    assert lines(manifest)["lost"] == "keep" and lines(manifest)["fresh"] == "keep 1"
    assert lines(manifest)["less"] == "downgrade 1"
    assert [want.name for want in wants(manifest, host(now))] == ["less"]


def test_a_partial_way_back_that_fails_is_a_problem_only_for_what_was_asked() -> None:
    assert back(OLD, NEW, OLD[3:], Nearest("fail", ("less",))).problems == ()
    assert back(OLD, NEW, OLD[3:], Nearest("fail", ("libperl",))).problems[0].packages == ("libperl",)


# ---------------------------------------------------------------------- interrupted starts


def interrupted(facts_now: HostFacts, name: str, state: State, broken: bool = False) -> HostFacts:
    packages = tuple(
        replace(one, state=state, broken=broken) if one.name == name else one for one in facts_now.packages
    )
    return replace(facts_now, packages=packages)


@pytest.mark.parametrize("state", ["unpacked", "half-configured", "triggers-awaited"])
def test_what_is_unpacked_and_stays_is_configured(state: State) -> None:
    now = interrupted(host(NEW), "libperl", state)
    manifest = Nearest()(host(OLD), now, offering(without(OLD, "libperl"), NEW), TO)
    assert lines(manifest)["libperl"] == "unobtainable 2"
    assert "libperl" in {want.name for want in wants(manifest, now)}


def test_a_wreck_that_cannot_be_had_again_does_not_stay() -> None:
    now = interrupted(host(NEW), "libperl", "half-installed", broken=True)
    manifest = Nearest()(host(OLD), now, offering(without(OLD, "libperl", "perl"), NEW), TO)
    assert lines(manifest)["libperl"] == "remove 2" and lines(manifest)["perl"] == "remove 2"


def test_a_half_removed_package_without_version_is_brought_back() -> None:
    wreck = replace(host((made("less=1"),)).packages[0], version="", state="half-installed", broken=True)
    now = facts(packages=(wreck,))
    assert lines(Nearest()(host((made("less=1"),)), now, offering((made("less=1"),)), TO)) == {"less": "install 1"}


# ---------------------------------------------------------------------- without python-sat


@pytest.fixture
def no_python_sat(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pysat", "pysat.solvers", "pysat.formula", "pysat.examples", "pysat.examples.rc2"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("rollback.solver.maxsat", "rollback.solver.explain"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("no_python_sat")
def test_without_python_sat_the_exact_way_is_found_and_checked() -> None:
    manifest = back(OLD, NEW, OLD)
    assert set(lines(manifest).values()) == {"downgrade 1"} and not manifest.deviations


@pytest.mark.usefixtures("no_python_sat")
def test_without_python_sat_a_near_way_is_found_and_not_called_nearest() -> None:
    manifest = back(OLD, NEW, without(OLD, "libperl"))
    assert lines(manifest)["less"] == "downgrade 1" and lines(manifest)["perl"] == "keep 2"
    assert [one.rule for one in manifest.deviations] == [
        "unobtainable",
        "unsatisfiable",
        "unsatisfiable",
        "not-proven",
    ]
    assert "nornir-upgrade[solver]" in manifest.deviations[-1].hint


@pytest.mark.usefixtures("no_python_sat")
def test_without_python_sat_what_cannot_be_done_is_said() -> None:
    now = (made("perl=2", depends="gone"), *NEW[1:])
    manifest = back(OLD, now, without(OLD, "libperl"))
    with pytest.raises(NoSolution, match="without python-sat"):
        require_solved([manifest])


# ---------------------------------------------------------------------- the same everywhere

_SCRIPT = """
import json
from rollback.solver.nearest import Nearest
from rollback.manifest.model import document
from tests.rollback.solver.test_nearest import NEW, OLD, TO, without
from tests.rollback.worlds import host, made, offering
had = without(OLD, "libperl", "less") + [made("less=1.5"), made("less=1.2"), made("perl=1.5", depends="perl-base (= 1)")]
print(json.dumps(document(Nearest()(host(OLD), host(NEW), offering(had, NEW), TO))))
"""


def test_the_plan_does_not_depend_on_the_hash_seed() -> None:
    printed = {
        subprocess.run(
            (sys.executable, "-c", _SCRIPT),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(printed) == 1 and json.loads(printed.pop())["deviations"]


def test_deviations_are_part_of_the_document() -> None:
    manifest = back(OLD, NEW, without(OLD, "libperl"))
    (told,) = document(manifest)["deviations"]
    assert list(told["packages"]) == ["libperl", "perl", "perl-base"]

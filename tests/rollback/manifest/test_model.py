"""Every package accounted for, and the manifest applied is the snapshot: by example, and for any two states."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput, NoSolution, Unobtainable
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package, PackageName, State
from rollback.manifest.model import Manifest, Problem, document, read, require_solved
from rollback.manifest.transaction import leftovers, wants
from rollback.solver.exact import exact
from tests.builders import facts, offering, package

TO = {"snapshot": "snapshot-1"}


def resolved(then: tuple[Package, ...], now: tuple[Package, ...], had: tuple[Package, ...] | None = None) -> Manifest:
    return exact(facts(packages=then), facts(packages=now), offering(then if had is None else had), TO)


def actions(manifest: Manifest) -> dict[str, str]:
    return {change.name: change.action for change in manifest.changes}


# ---------------------------------------------------------------------- by example


def test_each_kind_of_difference_has_its_action() -> None:
    then = (
        package("nova", "1"),
        package("glance", "3"),
        package("quantum", "1"),
        package("less", "1"),
        package("vim", "1", hold=True),
    )
    now = (
        package("nova", "2"),
        package("glance", "2"),
        package("neutron", "2"),
        package("less", "1"),
        package("vim", "1", hold=True),
    )
    assert actions(resolved(then, now)) == {
        "nova": "downgrade",
        "glance": "upgrade",
        "quantum": "install",
        "neutron": "remove",
        "less": "keep",
        "vim": "held",
    }


def test_versions_are_ordered_as_debian_orders_them_not_as_text() -> None:
    then = (package("a", "1:2013.2-0ubuntu1~cloud0"), package("b", "1.10"), package("c", "1.0~rc1"))
    now = (package("a", "2014.1"), package("b", "1.9"), package("c", "1.0"))
    assert actions(resolved(then, now)) == {"a": "upgrade", "b": "upgrade", "c": "downgrade"}


def test_a_version_that_no_repository_offers_is_a_problem_and_never_a_change() -> None:
    manifest = resolved((package("nova", "1"), package("less", "1")), (package("nova", "2"), package("less", "1")), ())
    assert actions(manifest) == {"nova": "unobtainable", "less": "keep"}
    assert [(problem.rule, problem.packages) for problem in manifest.problems] == [("unobtainable", ("nova",))]
    with pytest.raises(Unobtainable, match="nova=1") as caught:
        require_solved([manifest])
    assert caught.value.exit_code == 21
    with pytest.raises(Unobtainable):
        wants(manifest, facts(packages=(package("nova", "2"),)))


def test_a_candidate_of_another_architecture_is_none() -> None:
    then, now = (package("nova", "1", arch="amd64"),), (package("nova", "2", arch="amd64"),)
    assert actions(resolved(then, now, (package("nova", "1", arch="i386"),))) == {"nova": "unobtainable"}


def test_other_problems_than_missing_bytes_are_no_solution() -> None:
    problem = Problem("conflict", ("nova",), "nova conflicts with itself", "")
    with pytest.raises(NoSolution, match="ctl1: nova conflicts"):
        require_solved([Manifest("ctl1", "deb", TO, (), (problem,))])


def test_what_is_new_is_purged_though_only_its_configuration_is_left() -> None:
    now = facts(packages=(package("neutron", "2", "config-files"),))
    manifest = exact(facts(), now, offering(()), TO)
    (change,) = manifest.changes
    assert (change.action, change.installed, change.target) == ("remove", "", "")
    (want,) = wants(manifest, now)
    assert (want.goal, want.version) == ("absent", "")


def test_what_was_only_configuration_is_so_again() -> None:
    then, now = (package("old", "1", "config-files"),), facts(packages=(package("old", "1"),))
    manifest = exact(facts(packages=then), now, offering(()), TO)
    assert [(c.action, c.target) for c in manifest.changes] == [("remove", "1")]
    assert [(w.goal, w.version) for w in wants(manifest, now)] == [("config-files", "")]


@pytest.mark.parametrize("state", ["unpacked", "half-configured", "triggers-awaited", "triggers-pending"])
def test_a_package_that_only_needs_configuring_is_kept_and_wanted(state: State) -> None:
    now = facts(packages=(replace(package("nova", "1"), state=state),))
    manifest = exact(facts(packages=(package("nova", "1"),)), now, offering(()), TO)
    assert [(c.action, c.why) for c in manifest.changes] == [("keep", f"is {state} now: will be configured")]
    assert [w.goal for w in wants(manifest, now)] == ["installed"]


@pytest.mark.parametrize("wreck", [package("nova", "1", "half-installed"), package("nova", "1", broken=True)])
def test_a_wreck_needs_its_bytes_again(wreck: Package) -> None:
    assert actions(resolved((package("nova", "1"),), (wreck,))) == {"nova": "install"}
    assert actions(resolved((package("nova", "1"),), (wreck,), ())) == {"nova": "unobtainable"}


def test_marks_that_differ_are_wanted_though_the_version_stays() -> None:
    then = (package("a", "1", auto=True), package("b", "1", hold=True), package("c", "1", auto=True, hold=True))
    now = facts(packages=(package("a", "1"), package("b", "1"), package("c", "1", auto=True, hold=True)))
    found = wants(exact(facts(packages=then), now, offering(()), TO), now)
    assert [(w.name, w.auto, w.hold) for w in found] == [("a", True, False), ("b", False, True)]


def test_a_hold_set_since_is_lifted_and_said() -> None:
    manifest = resolved((package("nova", "1"),), (package("nova", "2", hold=True),))
    (change,) = manifest.changes
    assert (change.action, change.hold) == ("downgrade", False)
    assert "held since" in change.why


def test_a_package_that_changed_its_architecture_is_not_removed_by_name() -> None:
    now = facts(packages=(package("nova", "2", arch="all"),))
    manifest = exact(facts(packages=(package("nova", "1", arch="amd64"),)), now, *_offer("nova", "1", "amd64"))
    assert sorted((c.arch, c.action) for c in manifest.changes) == [("all", "remove"), ("amd64", "install")]
    assert [(w.arch, w.goal) for w in wants(manifest, now)] == [("amd64", "installed")]


def test_one_architecture_of_two_is_removed_by_itself() -> None:
    then = (package("libc6", "1", arch="amd64"),)
    now = facts(packages=(*then, package("libc6", "1", arch="i386")))
    manifest = exact(facts(packages=then), now, offering(then), TO)
    assert [(w.arch, w.goal) for w in wants(manifest, now)] == [("i386", "absent")]


def _offer(name: str, version: str, arch: str):  # type: ignore[no-untyped-def]
    return offering((package(name, version, arch=arch),)), TO


# ---------------------------------------------------------------------- as JSON


def test_the_document_has_counts_and_reads_back() -> None:
    manifest = resolved((package("nova", "1"),), (package("nova", "2"),))
    text = codec.dumps(document(manifest))
    assert document(manifest)["counts"]["downgrade"] == 1
    assert read(text, "a file") == manifest


@pytest.mark.parametrize("edit", [('"downgrade":1', '"downgrade":2'), ('"format":"1.0"', '"format":"9.0"')])
def test_a_document_that_was_tampered_with_is_refused(edit: tuple[str, str]) -> None:
    text = codec.dumps(document(resolved((package("nova", "1"),), (package("nova", "2"),))))
    assert edit[0] in text
    with pytest.raises(InvalidInput, match="a file"):
        read(text.replace(*edit), "a file")


# ---------------------------------------------------------------------- for any two states

NAMES = ("nova", "glance", "quantum", "neutron", "less", "libc6")
STATES: tuple[State, ...] = (
    "installed",
    "config-files",
    "unpacked",
    "half-configured",
    "half-installed",
    "triggers-pending",
)


def packages(states: tuple[State, ...]) -> st.SearchStrategy[tuple[Package, ...]]:
    one = st.builds(
        lambda name, version, state, auto, hold, broken: replace(
            package(name, version, state, auto=auto, hold=hold),
            broken=broken and state != "config-files",
        ),
        st.sampled_from(NAMES),
        st.sampled_from(("1", "2", "1:1")),
        st.sampled_from(states),
        st.booleans(),
        st.booleans(),
        st.booleans() if len(states) > 2 else st.just(False),
    )
    return st.lists(one, unique_by=lambda found: found.key).map(tuple)


HEALTHY = packages(("installed", "config-files"))
ANY = packages(STATES)


def applied(manifest: Manifest, now: HostFacts) -> dict[PackageName, Package]:
    """What the host has in the end: wants reached, all else untouched. As dpkg does, a package that is removed leaves
    the configuration of the version that was installed.
    """
    found = {one.key: one for one in now.packages}
    for want in (*wants(manifest, now), *leftovers(manifest, now)):
        gone = found.pop(PackageName(want.name, want.arch), None)
        if want.goal != "absent":
            assert want.goal == "installed" or (gone is not None and gone.unpacked)
            state, version = (want.goal, want.version) if gone is None or want.version else (want.goal, gone.version)
            made = package(want.name, version, state, auto=want.auto, hold=want.hold, arch=want.arch)
            found[made.key] = made
    return found


def as_left(one: Package) -> Package:
    """Marks mean nothing on a package of which only configuration is left."""
    return replace(one, auto=False, selection="deinstall") if one.state == "config-files" else one


@given(ANY, ANY, st.sets(st.integers(0, 20)))
def test_every_package_is_accounted_for_exactly_once(
    then: tuple[Package, ...], now: tuple[Package, ...], missing: set[int]
) -> None:
    had = tuple(one for number, one in enumerate(then) if number not in missing)
    manifest = resolved(then, now, had)
    accounted = [(change.name, change.arch) for change in manifest.changes]
    assert accounted == sorted({(one.name, one.arch) for one in (*then, *now)})
    assert sum(manifest.counts.values()) == len(accounted)
    lost = {change.name for change in manifest.changes if change.action == "unobtainable"}
    assert lost == {name for problem in manifest.problems for name in problem.packages}


@given(HEALTHY, ANY)
def test_the_manifest_applied_is_the_snapshot(then: tuple[Package, ...], now: tuple[Package, ...]) -> None:
    manifest = resolved(then, now)
    assert not manifest.problems
    end = applied(manifest, facts(packages=now))
    assert {key: as_left(one) for key, one in end.items()} == {one.key: as_left(one) for one in then}


@given(HEALTHY)
def test_a_state_that_is_the_snapshot_wants_nothing(then: tuple[Package, ...]) -> None:
    assert wants(resolved(then, then, ()), facts(packages=then)) == ()


@given(ANY, ANY, st.randoms())
def test_the_manifest_does_not_depend_on_any_order(then: tuple[Package, ...], now: tuple[Package, ...], chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(now)
    chance.shuffle(shuffled)
    one = resolved(then, now)
    other = exact(
        facts(packages=reversed(then)), replace(facts(), packages=tuple(shuffled)), offering(reversed(then)), TO
    )
    assert codec.dumps(document(one)) == codec.dumps(document(other))

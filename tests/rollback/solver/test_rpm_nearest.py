"""The nearest way back on rpm's hosts, by example: renames, kernels, architectures, what is protected, and why."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.rpm.dependencies import RpmPackage
from rollback.manifest.model import Manifest, require_solved
from rollback.manifest.transaction import wants
from rollback.packaging.candidate import Candidate, Catalog, catalog
from rollback.packaging.protection import DNF, DnfConf
from rollback.plan.expected import foretell
from rollback.solver.exact import exact
from rollback.solver.nearest import Nearest
from tests.builders import facts
from tests.rollback.rpmworlds import NATIVE, control_of, made
from tests.rollback.worlds import installed

TO = {"snapshot": "snapshot-1"}
KEEP = Nearest()
KERNEL = "5.14.0-427.el9"
NEWER = "5.14.0-503.el9"


def host(rpms: Iterable[RpmPackage], *, kernel: str = "", auto: Iterable[str] = ()) -> HostFacts:
    """A host of the architecture x86_64 that has `rpms` installed."""
    found = facts(packages=[installed(one, auto=one.name in auto) for one in rpms])  # type: ignore[arg-type]
    return replace(found, os=replace(found.os, id="rocky", family="rpm", manager="dnf4", arch=NATIVE, kernel=kernel))


def offering(rpms: Iterable[RpmPackage], present: Iterable[RpmPackage] = (), dnf: DnfConf = DNF) -> Catalog:
    had = (Candidate(one.name, one.arch, one.version, "old", control=control_of(one)) for one in rpms)
    return catalog(had, {(one.name, one.arch, one.version): control_of(one) for one in present}, dnf)


def back(
    then: Iterable[RpmPackage],
    now: Iterable[RpmPackage],
    had: Iterable[RpmPackage],
    solver: Nearest = KEEP,
    *,
    kernel: str = "",
    dnf: DnfConf = DNF,
) -> Manifest:
    now = tuple(now)
    return solver(host(then), host(now, kernel=kernel), offering(had, present=now, dnf=dnf), TO)


def lines(manifest: Manifest) -> list[str]:
    """What happens, a word a package."""
    rows = ((c.name, c.slot or c.target or c.installed or "none", c.action) for c in manifest.changes)
    return [f"{name}={version} {action}" for name, version, action in rows]


# ---------------------------------------------------------------------- renamed

OLD = (
    made("quantum-common=1.0-1"),
    made("quantum-server=1.0-1", requires="quantum-common = 1.0-1"),
    made("python-quantumclient=1.0-1"),
    made("nova=1.0-1", requires="quantum-server"),
    made("libfoo=1.0-1"),
    made("agent=1.0-1", requires="(quantum-server if nova)"),
    made("legacy=1.0-1", requires="libfoo < 2"),
)
NEW = (
    made("neutron-common=2.0-1", obsoletes="quantum-common < 2.0", provides="quantum-common = 2.0-1"),
    made(
        "neutron-server=2.0-1",
        obsoletes="quantum-server < 2.0",
        provides="quantum-server = 2.0-1",
        requires="neutron-common = 2.0-1",
    ),
    made("python-neutronclient=2.0-1", obsoletes="python-quantumclient < 2.0"),
    made("nova=2.0-1", requires="neutron-server >= 2.0", conflicts="libfoo < 2"),
    made("libfoo=2.0-1", obsoletes="legacy"),
    made("agent=2.0-1", requires="(neutron-server if nova), (libfoo >= 2 with libfoo < 3)"),
)


def test_a_rename_goes_back_exactly() -> None:
    manifest = back(OLD, NEW, OLD)
    assert lines(manifest) == [
        "agent=1.0-1 downgrade",
        "legacy=1.0-1 install",
        "libfoo=1.0-1 downgrade",
        "neutron-common=2.0-1 remove",
        "neutron-server=2.0-1 remove",
        "nova=1.0-1 downgrade",
        "python-neutronclient=2.0-1 remove",
        "python-quantumclient=1.0-1 install",
        "quantum-common=1.0-1 install",
        "quantum-server=1.0-1 install",
    ]
    assert not manifest.deviations and not manifest.problems
    assert manifest.family == "rpm"


def test_of_a_rename_with_a_version_lost_what_replaces_it_stays() -> None:
    manifest = back(OLD, NEW, [one for one in OLD if one.name != "quantum-common"])
    changes = {change.name: change for change in manifest.changes}
    assert {name: change.action for name, change in changes.items()} == {
        "agent": "downgrade",
        "legacy": "install",
        "libfoo": "downgrade",
        "neutron-common": "keep",
        "neutron-server": "keep",
        "nova": "downgrade",
        "python-neutronclient": "remove",
        "python-quantumclient": "install",
        "quantum-common": "unobtainable",
        "quantum-server": "keep",
    }
    require_solved([manifest])
    assert "quantum-common=1.0-1 is in no repository" in changes["quantum-server"].why
    assert "quantum-server=1.0-1 needs quantum-common = 1.0-1" in changes["quantum-server"].why
    assert "neutron-server=2.0-1 needs neutron-common = 2.0-1" in changes["neutron-common"].why


def test_what_obsoletes_another_says_so() -> None:
    then, now = (made("b=1-1"), made("c=1-1")), (made("a=2-1", obsoletes="b < 2"), made("c=1-1", requires="a"))
    manifest = back(then, now, (then[0],), Nearest(only=("b",)))
    (told,) = [change for change in manifest.changes if change.name == "b"]
    assert told.action == "install"
    why = {change.name: change.why for change in manifest.changes}
    assert "a=2-1 obsoletes b < 2" in why["a"] and "c=1-1 needs a" in why["c"]


# ---------------------------------------------------------------------- kernels


def kernel(release: str) -> RpmPackage:
    provides = f"kernel-uname-r = {release}.x86_64, installonlypkg(kernel)"
    return made(f"kernel-core={release}", arch=NATIVE, provides=provides)


def module(release: str) -> RpmPackage:
    given = {"requires": f"kernel-uname-r = {release}.x86_64", "provides": "installonlypkg(kernel-module)"}
    return made(f"kmod-x={release}", arch=NATIVE, **given)


def test_kernels_stand_side_by_side_and_the_new_ones_go() -> None:
    old = (kernel(KERNEL), module(KERNEL), made("less=1-1"))
    new = (*old[:2], kernel(NEWER), module(NEWER), made("less=2-1"))
    manifest = back(old, new, old, kernel=f"{KERNEL}.x86_64")
    assert lines(manifest) == [
        f"kernel-core={KERNEL} keep",
        f"kernel-core={NEWER} remove",
        f"kmod-x={KERNEL} keep",
        f"kmod-x={NEWER} remove",
        "less=1-1 downgrade",
    ]
    assert not manifest.deviations
    gone = [(want.name, want.version) for want in wants(manifest, host(new)) if want.goal == "absent"]
    assert gone == [("kernel-core", NEWER), ("kmod-x", NEWER)]


def test_a_kernel_that_is_gone_comes_back_beside_the_others() -> None:
    manifest = back((kernel(KERNEL),), (kernel(NEWER),), (kernel(KERNEL),), kernel=f"{NEWER}.x86_64")
    assert lines(manifest) == [f"kernel-core={KERNEL} install", f"kernel-core={NEWER} keep"]


def test_the_running_kernel_stays_with_what_it_needs_and_says_why() -> None:
    old, needed = (kernel(KERNEL),), made("firmware=2-1")
    running = replace(kernel(NEWER), requires=made("x=1", requires="firmware >= 2").requires)
    manifest = back(old, (*old, running, needed), old, kernel=f"{NEWER}.x86_64")
    assert lines(manifest) == ["firmware=2-1 keep", f"kernel-core={KERNEL} keep", f"kernel-core={NEWER} keep"]
    (told,) = manifest.deviations
    assert told.packages == ("firmware", "kernel-core")
    assert f"kernel-core={NEWER} is the running kernel, and is never removed" in told.text


def test_of_the_running_kernel_only_the_package_that_holds_it_is_kept() -> None:
    old = (kernel(KERNEL),)
    manifest = back(old, (*old, kernel(NEWER), module(NEWER)), old, kernel=f"{NEWER}.x86_64")
    assert lines(manifest)[1:] == [f"kernel-core={NEWER} keep", f"kmod-x={NEWER} remove"]


def test_the_running_kernel_is_known_by_its_version_where_no_package_says_so() -> None:
    old, new = made(f"kernel={KERNEL}", arch=NATIVE), made(f"kernel={NEWER}", arch=NATIVE)
    manifest = back((old,), (old, new), (old,), kernel=f"{NEWER}.x86_64+debug")
    assert lines(manifest) == [f"kernel={KERNEL} keep", f"kernel={NEWER} keep"]
    assert lines(back((old,), (old, new), (old,), kernel=f"{KERNEL}.x86_64"))[1] == f"kernel={NEWER} remove"


def test_where_no_kernel_of_the_snapshot_can_be_had_one_stays() -> None:
    manifest = back((kernel(KERNEL),), (kernel(NEWER),), (), kernel="another")
    assert lines(manifest) == [f"kernel-core={KERNEL} unobtainable", f"kernel-core={NEWER} keep"]


def test_what_is_install_only_can_be_told() -> None:
    old, new = made("vm=1-1"), made("vm=2-1")
    assert lines(back((old,), (new,), (old,))) == ["vm=1-1 downgrade"]
    conf = DnfConf(install_only=frozenset({"vm"}))
    assert lines(back((old,), (new,), (old,), dnf=conf)) == ["vm=1-1 install", "vm=2-1 remove"]


# ---------------------------------------------------------------------- one of each


def test_a_version_left_twice_by_a_crash_is_cleared_away() -> None:
    manifest = back((made("a=1-1"),), (made("a=1-1"), made("a=2-1")), ())
    assert lines(manifest) == ["a=1-1 keep", "a=2-1 remove"]
    assert not manifest.deviations
    manifest = back((made("a=1-1"),), (made("a=2-1"), made("a=3-1")), ())
    assert lines(manifest) == ["a=1-1 unobtainable", "a=2-1 remove", "a=3-1 keep"]


def cut_off(*rpms: RpmPackage) -> HostFacts:
    """A host on which scriptlets of these did not run."""
    found = host(rpms)
    return replace(found, packages=tuple(replace(one, broken=True) for one in found.packages))


def test_what_was_cut_off_is_installed_again_or_stays_and_is_told_of() -> None:
    a, newer = made("a=1-1"), made("a=2-1")
    manifest = KEEP(host((a,)), cut_off(a, newer), offering((a,), present=(a, newer)), TO)
    assert lines(manifest) == ["a=1-1 install", "a=2-1 remove"] and not manifest.deviations
    now = cut_off(a, newer)
    manifest = KEEP(host((a,)), now, offering((), present=(a, newer)), TO)
    assert lines(manifest) == ["a=1-1 unobtainable", "a=2-1 remove"]
    (told,) = manifest.deviations
    assert told.text == "no repository offers a=1-1, of which not all scripts ran"
    assert [(one.version, one.broken) for one in foretell(host((a,)), now, manifest).packages] == [("1-1", True)]


def test_two_architectures_go_back_each_by_itself() -> None:
    old = (made("lib=1-1", arch="x86_64"), made("lib=1-1", arch="i686"))
    new = (made("lib=2-1", arch="x86_64"), made("lib=2-1", arch="i686"))
    assert lines(back(old, new, old)) == ["lib=1-1 downgrade"] * 2
    manifest = back(old, new, old[:1])
    assert [(c.arch, c.action) for c in manifest.changes] == [("i686", "unobtainable"), ("x86_64", "downgrade")]


def test_a_package_that_became_noarch_is_one_package() -> None:
    manifest = back((made("a=1-1", arch=NATIVE),), (made("a=2-1"),), (made("a=1-1", arch=NATIVE),))
    assert [(c.arch, c.action) for c in manifest.changes] == [("noarch", "remove"), (NATIVE, "install")]
    manifest = back((made("a=1-1", arch=NATIVE),), (made("a=2-1"),), ())
    assert [(c.arch, c.action) for c in manifest.changes] == [("noarch", "keep"), (NATIVE, "unobtainable")]


# ---------------------------------------------------------------------- never removed


def test_what_is_protected_stays_and_says_so() -> None:
    then, now = (made("old=1-1"),), (made("sudo=2-1", conflicts="old"),)
    manifest = back(then, now, then)
    assert lines(manifest) == ["old=none keep", "sudo=2-1 keep"]
    assert {one.rule for one in manifest.deviations} == {"essential"}
    assert "sudo is essential or protected, and is never removed" in manifest.deviations[0].text
    assert lines(back(then, now, then, dnf=DnfConf(protected=()))) == ["old=1-1 install", "sudo=2-1 remove"]


# ---------------------------------------------------------------------- what dependencies name


def test_a_file_is_met_by_whoever_has_it() -> None:
    then = (made("a=1-1", requires="/usr/bin/p"), made("b=1-1", files="/usr/bin/p"))
    now = (made("a=2-1", requires="/usr/bin/p"), made("c=2-1", files="/usr/bin/p"))
    assert not back(then, now, then).deviations
    manifest = back(then, now, then[:1])
    assert lines(manifest) == ["a=1-1 downgrade", "b=none unobtainable", "c=2-1 keep"]


@pytest.mark.parametrize(
    ("provides", "requires", "fits"),
    [
        ("v", "v >= 5", True),
        ("v = 1", "v < 1-2", True),
        ("v = 1-1", "v < 1", False),
        ("v = 1:1", "v > 2", True),
        ("v = 1", "(v with w)", False),
        ("v = 1", "(w if v)", False),
        ("v = 1", "(w unless v else v)", True),
    ],
)
def test_what_is_provided(provides: str, requires: str, fits: bool) -> None:
    then = (made("a=1-1", requires=requires), made("b=1-1", provides=provides))
    assert (not back(then, (made("a=2-1"), made("b=2-1")), then).deviations) == fits


def test_the_direction_of_a_change_is_that_of_rpms_order() -> None:
    then, now = host([made("a=1.0^git-1")]), host([made("a=1.0.1-1")])
    (change,) = exact(then, now, offering([made("a=1.0^git-1")]), TO).changes
    assert change.action == "downgrade"


def test_with_remove_nothing_is_left_of_what_cannot_be_exact() -> None:
    then, now = (made("a=1-1"), made("b=1-1")), (made("a=2-1"), made("b=2-1"))
    manifest = back(then, now, then[:1], Nearest("remove"))
    assert [(c.name, c.action, c.target) for c in manifest.changes] == [("a", "downgrade", "1-1"), ("b", "remove", "")]
    assert [(want.name, want.goal) for want in wants(manifest, host(now))] == [("a", "installed"), ("b", "absent")]

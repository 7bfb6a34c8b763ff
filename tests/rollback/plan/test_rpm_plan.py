"""The way back of an rpm host as wants, files and a command: kernels beside each other, what rpm leaves behind, one dnf transaction."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.gather import Conffile, HostFacts
from nornir_upgrade.core.packaging.dnf.dnf4 import moves
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.rpm.dependencies import RpmPackage
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.packages import SetPackages
from rollback.manifest.commands import of_host
from rollback.manifest.model import Manifest
from rollback.manifest.transaction import wants
from rollback.plan.expected import foretell
from rollback.plan.planner import plan_rollback
from rollback.plan.scope import beside, litter, scope
from rollback.solver.exact import exact
from rollback.solver.nearest import Nearest
from tests.builders import Diary, facts, package, plan, running, snapshot
from tests.builders import offering as factory_offering
from tests.rollback.rpmworlds import NATIVE, made
from tests.rollback.solver.test_rpm_nearest import KERNEL, NEWER, TO, back, host, kernel, lines, offering

OLDER = "5.14.0-362.el9"


def said(found: Iterable[PackageWant]) -> list[str]:
    return sorted(f"{one.name}={one.version} {one.goal}" for one in found)


# ---------------------------------------------------------------------- several versions


def test_of_kernels_all_that_stay_are_wanted_beside_the_one_that_comes_or_goes() -> None:
    then, now = (kernel(OLDER), kernel(KERNEL)), (kernel(KERNEL), kernel(NEWER))
    manifest = back(then, now, then, kernel=f"{KERNEL}.x86_64")
    found = wants(manifest, host(now))
    assert said(found) == [
        f"kernel-core={OLDER} installed",
        f"kernel-core={KERNEL} installed",
        f"kernel-core={NEWER} absent",
    ]
    (move,) = moves(found, host(now).packages)
    assert (move.gone, move.new) == ((NEWER,), (OLDER,))


def test_the_running_kernel_is_wanted_as_it_is_though_it_is_new() -> None:
    then, now = (kernel(OLDER),), (kernel(KERNEL), kernel(NEWER))
    manifest = back(then, now, then, kernel=f"{NEWER}.x86_64")
    (move,) = moves(wants(manifest, host(now)), host(now).packages)
    assert (move.gone, move.new) == ((KERNEL,), (OLDER,))


def test_kernels_that_all_stay_are_left_alone() -> None:
    then = now = (kernel(KERNEL), kernel(NEWER))
    assert wants(back(then, (*now, made("new=1-1")), then), host((*now, made("new=1-1")))) == (
        PackageWant("new", "noarch", "", "absent"),
    )


KERNELS = st.sets(st.sampled_from((OLDER, KERNEL, NEWER)), min_size=1)


@given(KERNELS, KERNELS, st.sampled_from((OLDER, KERNEL, NEWER)))
def test_after_a_way_back_there_are_the_kernels_of_the_snapshot_and_the_running_one(
    then: set[str], now: set[str], running: str
) -> None:
    before, present = ([kernel(one) for one in sorted(some)] for some in (then, now))
    manifest = back(before, present, before, kernel=f"{running}.x86_64")
    there = {one.version for one in host(present).packages}
    for move in moves(wants(manifest, host(present)), host(present).packages):
        assert set(move.gone) <= there
        there = there - set(move.gone) | set(move.new)
    assert there == then | ({running} & now)
    assert there == {one.version for one in foretell(host(before), host(present), manifest).packages}


def test_a_version_left_twice_keeps_its_mark_while_the_other_goes() -> None:
    then, now = (made("a=1-1"),), (made("a=1-1"), made("a=2-1"))
    manifest = back(then, now, ())
    assert said(wants(manifest, host(now))) == ["a=1-1 installed", "a=2-1 absent"]


def test_a_package_that_becomes_noarch_or_ceases_to_is_replaced_and_not_removed_as_well() -> None:
    then, now = (made("a=1-1", arch=NATIVE),), (made("a=2-1"),)
    assert wants(back(then, now, then), host(now)) == (PackageWant("a", NATIVE, "1-1", "installed"),)
    assert wants(back(now, then, now), host(then)) == (PackageWant("a", "noarch", "2-1", "installed"),)


# ---------------------------------------------------------------------- beside configuration files


def with_files(of: HostFacts, **files: str) -> HostFacts:
    """`of`, with configuration files: `a__rpmnew="x"` is one beside `a="x"`, which is of package a."""
    found = [
        Conffile(f"/etc/{name.replace('__', '.conf.')}", "", digest)
        if "__" in name
        else Conffile(f"/etc/{name}.conf", name, digest)
        for name, digest in files.items()
    ]
    return replace(of, conffiles=tuple(found))


THEN = with_files(host((made("a=1-1"), made("b=1-1"))), a="1", b="1", b__rpmnew="0")
NOW = with_files(host((made("a=2-1"), made("b=2-1"))), a="1", a__rpmnew="2", b="1", b__rpmnew="2", b__rpmsave="2")


def manifest(had: Iterable[RpmPackage]) -> Manifest:
    return Nearest()(THEN, NOW, offering(had), TO)


def test_what_stands_beside_a_file_is_of_its_package() -> None:
    whole, part = manifest((made("a=1-1"), made("b=1-1"))), manifest((made("a=1-1"),))
    assert scope(whole, THEN, NOW).outside == frozenset()
    assert scope(part, THEN, NOW).outside == {"/etc/b.conf", "/etc/b.conf.rpmnew", "/etc/b.conf.rpmsave"}
    assert scope(part, THEN, NOW).inside == {"/etc/a.conf", "/etc/a.conf.rpmnew"}


def test_what_was_not_there_is_cleared_away_and_what_was_is_left() -> None:
    assert litter(THEN, NOW, {"a"}) == tuple(f"/etc/a.conf.{end}" for end in ("rpmnew", "rpmsave", "rpmorig"))
    assert litter(THEN, NOW, {"b"}) == ("/etc/b.conf.rpmsave", "/etc/b.conf.rpmorig")
    assert litter(THEN, NOW, set()) == ()
    assert (beside("/etc/a.conf.rpmsave"), beside("/etc/a.conf"), beside("/etc/.rpmnew")) == (
        "/etc/a.conf",
        "",
        "/etc/",
    )


# ---------------------------------------------------------------------- whose a service is


@pytest.mark.parametrize(
    ("unit", "package_name", "whose"),
    [
        ("openstack-nova-api", "openstack-nova-api", True),
        ("quantum-dhcp-agent", "openstack-quantum", True),
        ("openstack-glance-api", "openstack-glance", True),
        ("quantum", "openstack-quantum", True),
        ("openstack-nova-api", "openstack-nova-common", False),
        ("openstack-nova-api", "python-nova", False),
        ("quantumx-server", "openstack-quantum", False),
        ("dnf-makecache", "dnf", True),
    ],
)
def test_units_are_called_as_their_package_or_begin_like_it(unit: str, package_name: str, whose: bool) -> None:
    found = scope(manifest(()), THEN, NOW)
    assert found.called(unit, frozenset({package_name})) == whose
    assert replace(found, units=False).called(unit, frozenset({package_name})) == (unit == package_name)


def test_services_come_and_go_with_the_package_that_holds_them() -> None:
    old, b = made("openstack-quantum=1-1"), made("b=1-1", requires="openstack-quantum")
    new = made("openstack-neutron=2-1", obsoletes="openstack-quantum < 2", provides="openstack-quantum = 2")
    then = replace(host((old, b)), services=running("quantum-server", "b"))
    now = replace(host((new, made("b=2-1"))), services=running("neutron-server", "b"))
    part = Nearest(only=("openstack-quantum",))(
        then, now, offering((old,), present=(new,)), TO | {"only": "openstack-quantum"}
    )
    assert {one.name for one in foretell(then, now, part).services} == {"quantum-server", "b"}
    stuck = Nearest()(then, now, offering((b,), present=(new,)), TO)
    assert lines(stuck)[1:] == ["openstack-neutron=2-1 keep", "openstack-quantum=none unobtainable"]
    assert {one.name for one in foretell(then, now, stuck).services} == {"neutron-server", "b"}


# ---------------------------------------------------------------------- as a command


def test_one_dnf_transaction_says_all() -> None:
    then, now = (made("a=1:1-1"), made("old=1-1")), (made("a=2:1-1"), made("new=1-1"))
    (line,) = of_host(back(then, now, then), "dnf", host(now))
    words = shlex.split(line.replace(" | ", " '|' "))
    assert words[:2] == ["printf", "%s"] and words[3:5] == ["|", "dnf"] and "\n" not in line
    assert words[-3:] == ["history", "replay", "/dev/stdin"]
    rows = {(one["action"], one["nevra"]) for one in json.loads(words[2])["rpms"]}
    assert rows == {
        ("Downgrade", "a-1:1-1.noarch"),
        ("Downgraded", "a-2:1-1.noarch"),
        ("Install", "old-1-1.noarch"),
        ("Removed", "new-1-1.noarch"),
    }
    assert of_host(back(now, now, ()), "dnf", host(now)) == ()


def test_each_manager_has_its_own_command() -> None:
    now = (made("a=1-1"),)
    manifest, rpm = back(now, now, ()), host(now)
    with pytest.raises(InvalidInput, match="has rpm packages: apt cannot"):
        of_host(manifest, "apt", rpm)
    debian = replace(rpm, os=replace(rpm.os, family="deb", manager="apt"))
    with pytest.raises(InvalidInput, match="has deb packages: dnf cannot"):
        of_host(replace(manifest, family="deb"), "dnf", debian)


# ---------------------------------------------------------------------- as a plan


def test_a_plan_has_steps_of_each_hosts_family_and_clears_what_no_capture_does(tmp_path: Path) -> None:
    then = {"r": replace(THEN, host="r"), "d": facts("d", (package("less", "1"),))}
    now = {"r": replace(NOW, host="r"), "d": facts("d", (package("less", "2"),))}
    manifests = {
        "r": Nearest()(then["r"], now["r"], offering((made("a=1-1"), made("b=1-1"))), TO),
        "d": exact(then["d"], now["d"], factory_offering(then["d"].packages), TO),
    }
    capture = CaptureFiles(("/etc/a.conf.d", "/etc/b.conf.rpmorig"), "configuration")
    run = Diary(tmp_path).went(plan(("w", {"r": (capture,)})), {(0, "r", 0): RestoreFiles(capture.roots, ())})
    made_plan = plan_rollback(snapshot(*then.values()), now, [run], manifests)
    steps = {(host, step.kind): step for _, host, step in made_plan.steps()}
    families = {host: step.family for (host, _), step in steps.items() if isinstance(step, SetPackages)}
    assert families == {"r": "rpm", "d": "deb"}
    gates = {(work.host, gate.family) for wave in made_plan.waves for work in wave.gates for gate in work.steps}  # type: ignore[attr-defined]
    assert gates == {("r", "rpm"), ("d", "deb")}
    cleared = [step.roots for _, host, step in made_plan.steps() if isinstance(step, RestoreFiles) and host == "r"]
    beside = ("/etc/a.conf.rpmnew", "/etc/a.conf.rpmsave", "/etc/a.conf.rpmorig", "/etc/b.conf.rpmsave")
    assert cleared == [capture.roots, beside, capture.roots], (
        "between the packages and the captures, whose own it leaves alone"
    )
    assert not any(
        isinstance(step, RestoreFiles) and not step.entries for (host, _), step in steps.items() if host == "d"
    )

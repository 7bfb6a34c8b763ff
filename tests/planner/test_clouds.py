"""Both families and several clouds in one plan: each host has only its own family's steps, each cloud its own database."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.batches import spared
from nornir_upgrade.core.packaging.model import Package, PackageChange, PackageWant, Transaction
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.step import Step
from nornir_upgrade.planner import upgrade
from nornir_upgrade.report import plan_text
from nornir_upgrade.scenario import loader
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.gates import AuditClean
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from tests.fake import hosts, rpm_world
from tests.fake.world import SHIPPED, World, lab, mixed

S = TypeVar("S", bound=Step)
GOLDEN = Path(__file__).parent / "golden"
OLD, NEW = (rpm_world.REPOSITORY.format(release=release) for release in ("havana", "icehouse"))


def steps(plan: Plan, *, host: str = "", of: type[S] = Step) -> Iterator[tuple[int, str, S]]:  # type: ignore[assignment]
    """Every step of a kind with its wave's number."""
    for number, wave in enumerate(plan.waves):
        for work in wave.work:
            if host in ("", work.host):
                yield from ((number, work.host, step) for step in work.steps if isinstance(step, of))


@pytest.mark.parametrize("full", [False, True])
def test_the_plan_of_seven_hosts_reads_as_it_did(full: bool) -> None:
    world = mixed()
    told = plan_text.text(plan_text.outline(world.plan(), world.facts, loader.load(SHIPPED)), full)
    assert told + "\n" == (GOLDEN / f"mixed{'-full' * full}.txt").read_text()


def test_every_host_has_steps_of_its_own_family_alone() -> None:
    world = mixed()
    plan, facts = world.plan(), world.facts
    everything = [
        *steps(plan),
        *((0, work.host, gate) for wave in plan.waves for work in wave.gates for gate in work.steps),
    ]
    families = {name: its.os.family for name, its in facts.items()}
    assert {step.family for _, host, step in everything if isinstance(step, SetPackages | AuditClean)} == {"deb", "rpm"}
    for _, host, step in everything:
        if isinstance(step, SetPackages | AuditClean):
            assert step.family == families[host]
        if isinstance(step, SetPackages):
            gone = {one.goal for one in step.want} - {"installed"}
            assert gone <= {"absent" if families[host] == "rpm" else "config-files"}
        if isinstance(step, SetRepository):
            assert step.path.endswith(".repo") == (families[host] == "rpm")


def test_who_cannot_stop_holds_back_its_own_cloud_alone() -> None:
    groups = [group for wave in mixed().plan().waves for group in wave.together]
    assert groups and all(len({host.startswith("r") for host in group}) == 1 for group in groups)


def test_an_rpm_host_goes_as_a_debian_one_does() -> None:
    plan = mixed().plan()
    for host in ("rctl1", "rcmp1", "rcmp2"):
        mine = [step for _, _, step in steps(plan, host=host)]
        repositories = [step for step in mine if isinstance(step, SetRepository)]
        assert [(step.path, step.text is None) for step in repositories] == [(NEW, False), (OLD, True)]
        first = next(place for place, step in enumerate(mine) if isinstance(step, SetPackages))
        assert mine[first - 1] == repositories[0] and mine[-2] == repositories[1]
    kinds = {
        host: [type(step).__name__ for _, _, step in steps(plan, host=host) if not isinstance(step, SetServices)]
        for host in ("cmp1", "rcmp1")
    }
    assert kinds["cmp1"] == kinds["rcmp1"]


def test_a_rename_takes_marks_over_and_what_ran_runs_under_its_new_name() -> None:
    plan = mixed().plan()
    want = {one.name: one for _, _, step in steps(plan, host="rctl1", of=SetPackages) for one in step.want}
    assert want["openstack-quantum"] == PackageWant("openstack-quantum", "noarch", "", "absent")
    assert not want["openstack-neutron"].auto and not want["python-neutronclient"].auto
    assert want["python-neutron"].auto and want["python-oslo-messaging"].auto
    services = [one for _, _, step in steps(plan, host="rctl1", of=SetServices) for one in step.want]
    assert ServiceWant("quantum-l3-agent", False, False) in services
    assert ServiceWant("neutron-l3-agent", True, True) in services
    assert ServiceWant("openstack-cinder-volume", False) in services
    gates = {
        gate.describe() for wave in plan.waves for work in wave.gates if work.host == "rctl1" for gate in work.steps
    }
    assert sum("answers 200 with '2014.1-2.el7'" in line for line in gates) == 10


def test_a_service_whose_package_is_called_otherwise_goes_with_it() -> None:
    world, wanted = mixed(), loader.load(SHIPPED)
    previews = world.previews(wanted)
    drawn = PackageChange("openstack-cinder", "noarch", "2013.2-2.el7", "2014.1-2.el7")
    previews["rctl1"]["image"] = Transaction((*previews["rctl1"]["image"].changes, drawn))
    plan = upgrade.plan_upgrade(wanted, world.inventory, world.facts, previews)
    (image,) = [work for wave in plan.waves if wave.name == "image" for work in wave.work if work.host == "rctl1"]
    (stop, start) = [step for step in image.steps if isinstance(step, SetServices)]
    assert ServiceWant("openstack-cinder-volume", False) in stop.want
    assert ServiceWant("openstack-cinder-volume", True) in start.want


def test_each_cloud_dumps_its_own_database_and_then_migrates_it_once() -> None:
    plan = mixed().plan()
    for cloud, members in (("", ("ctl1", "net1", "cmp1", "cmp2")), ("rpm", ("rctl1", "rcmp1", "rcmp2"))):
        dumps = [(n, step) for n, host, step in steps(plan, of=DumpDatabase) if host in members]
        syncs = [(n, step) for n, host, step in steps(plan, of=RunCommand) if host in members]
        assert [step.database for _, step in dumps] == [
            "keystone",
            "glance",
            "nova",
            "quantum",
            "cinder",
        ]
        assert {step.cloud for _, step in dumps} == {cloud}
        assert [step.covered_by for _, step in syncs] == [step.capture for _, step in dumps]
        assert all(dumped <= synced for (dumped, _), (synced, _) in zip(dumps, syncs, strict=True))
    names = [step.capture for _, _, step in steps(plan, of=DumpDatabase)]
    assert len(set(names)) == len(names) == 2 * len(hosts.DATABASES)


def test_clouds_go_side_by_side_and_wait_for_none_but_their_own() -> None:
    plan = mixed().plan()
    (identity,) = [wave for wave in plan.waves if wave.name.startswith("identity")]
    assert identity.hosts == ("ctl1", "rctl1")
    alone = {work.host: work for wave in lab().plan().waves for work in wave.work if wave.name == "identity"}
    assert identity.work[0] == alone["ctl1"]


def test_a_cloud_plans_the_same_alone_and_beside_another() -> None:
    world = mixed()
    both = world.plan()
    for scope in (tuple(world.states), tuple(world.rpm)):
        world.scope = scope
        for host in scope:
            mine = [step for _, _, step in steps(world.plan(), host=host)]
            assert mine == [step for _, _, step in steps(both, host=host)]


def test_the_cap_of_a_cloud_waits_for_its_own_compute_nodes() -> None:
    world = mixed()
    world.scope = tuple(name for name in (*world.states, *world.rpm) if name != "cmp2")
    lifted = {work.host for wave in world.plan().waves if wave.name.startswith("lift-cap") for work in wave.work}
    assert lifted == {"rctl1"}
    old_goes = {host for _, host, step in steps(world.plan(), of=SetRepository) if step.text is None}
    assert old_goes == {"net1", "cmp1", "rctl1", "rcmp1", "rcmp2"}


def test_who_is_done_is_left_alone() -> None:
    world = mixed()
    for host in world.rpm.values():
        host.sources = [NEW]
        done = {
            change.name: change
            for names in world.previews(loader.load(SHIPPED))[host.name].values()
            for change in names.changes
        }
        kept = [one for one in host.packages if one.name not in done]
        host.packages = kept + [
            Package(one.name, one.arch, one.new, "installed", "install", False) for one in done.values() if one.new
        ]
    assert set(world.plan().hosts) == set(world.states)


@settings(max_examples=5, deadline=None)
@example([3, 3])
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_no_cloud_loses_its_quorum(sizes: list[int]) -> None:
    clouds = {f"c{number}": [f"c{number}h{one}" for one in range(size)] for number, size in enumerate(sizes)}
    states = {
        name: hosts.havana(name, ("keystone",), ("keystone",) if name.endswith("h0") else ())
        for members in clouds.values()
        for name in members
    }
    world = World(states, dict.fromkeys(states, ("control", "db", "network", "compute")))
    world.clouds = {name: cloud for cloud, members in clouds.items() for name in members}
    waves = [wave for wave in world.plan().waves if any(isinstance(s, SetPackages) for w in wave.work for s in w.steps)]
    for wave in waves:
        for members in clouds.values():
            assert len(set(wave.hosts) & set(members)) <= spared(len(members))
    assert {host for wave in waves for host in wave.hosts} == set(states)
    assert len(list(steps(world.plan(), of=DumpDatabase))) == len(clouds)


ALL = """\
format: "1.0"
name: all-at-once
summary: every package
repositories:
  rpm:
    old: {path: /etc/yum.repos.d/cloud-havana.repo}
    new: {path: /etc/yum.repos.d/cloud-icehouse.repo, text: "[cloud-icehouse]\\nbaseurl=http://10.99.0.1:8000/rpm/icehouse/"}
renames: {quantum: neutron}
stages:
  - name: everything
    groups: [compute]
    packages: ["*"]
    outage: all of it
    way_back: the old packages
"""


def test_a_new_kernel_takes_no_other_ones_place(tmp_path: Path) -> None:
    (path := tmp_path / "all.yaml").write_text(ALL + "services: {}\n")
    world = World({}, rpm={"rcmp1": rpm_world.fleet()["rcmp1"]})
    older = Package("kernel-core", "x86_64", "5.14.0-66.el9", "installed", "install", True)
    world.rpm["rcmp1"].packages.append(older)
    ((_, _, step),) = steps(world.plan(str(path)), of=SetPackages)
    assert isinstance(step, SetPackages)
    assert [(one.version, one.auto) for one in step.want if one.name == "kernel-core"] == [
        ("5.14.0-162.6.1.el9", False),
        ("5.14.0-66.el9", True),
        ("5.14.0-70.13.1.el9", False),
    ]

"""The plan forward: its order, its barriers, its pins; and that it does on fake hosts what it says."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.engine import Policy, execute
from nornir_upgrade.core.errors import InvalidInput, NoSolution
from nornir_upgrade.core.facts.gather import package_digest
from nornir_upgrade.core.journal import owned
from nornir_upgrade.core.packaging.model import PackageChange, Transaction, digest_of_packages
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import unwind
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.planner import upgrade
from nornir_upgrade.report import plan_text
from nornir_upgrade.scenario import loader
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from nornir_upgrade.steps.state import CaptureState
from tests.fake import hosts
from tests.fake.fleet import FakeFleet
from tests.fake.index import ICEHOUSE
from tests.fake.world import SHIPPED, World, lab, large

GOLDEN = Path(__file__).parent / "golden"
OLD, NEW = (hosts.SOURCES.format(release=release) for release in ("havana", "icehouse"))


def steps(plan: Plan, *, host: str = "") -> Iterator[tuple[int, str, Step]]:
    """Every step with its wave's number."""
    for number, wave in enumerate(plan.waves):
        for work in wave.work:
            if host in ("", work.host):
                yield from ((number, work.host, step) for step in work.steps)


@pytest.mark.parametrize("full", [False, True])
def test_the_labs_plan_reads_as_it_did(full: bool) -> None:
    world = lab()
    told = plan_text.text(plan_text.outline(world.plan(), world.facts, loader.load(SHIPPED)), full)
    assert told + "\n" == (GOLDEN / f"lab{'-full' * full}.txt").read_text()


def test_forward_is_the_new_release_and_unwound_is_the_start(tmp_path: Path) -> None:
    world = lab()
    fleet = FakeFleet((hosts.place(made, tmp_path) for made in world.states.values()), workers=0)
    before, plan = fleet.observable(), world.plan()
    store = Store(tmp_path / "store")
    with owned(tmp_path / "journal.db", "test") as journal:
        run = journal.open_run(plan)
        outcome = execute(run, fleet, journal, store, Policy(), package_digest)
        assert outcome.succeeded, outcome.failed
        after = World({name: host.state for name, host in fleet.hosts.items()})
        assert after.plan().waves == ()
        assert [one.key for one in after.findings() if one.severity == "blocking"] == []
        conf = after.states["ctl1"].files["/etc/nova/nova.conf"].data.decode()
        assert "compute = havana" not in conf
        assert {after.states[name].packages["python-nova"].version for name in ("ctl1", "cmp1", "cmp2")} == {ICEHOUSE}
        assert after.states["net1"].services["neutron-l3-agent"].active
        back = journal.open_run(unwind(journal.run(run.id)), parent=run.id)
        undone = execute(back, fleet, journal, store, Policy(max_fail=0), package_digest)
        assert undone.succeeded, undone.failed
    assert fleet.observable() == before


def test_nothing_follows_from_the_order_of_anything_but_the_inventory() -> None:
    world = lab()
    shuffled = World(dict(world.states), scope=tuple(reversed(world.states)))
    assert codec.dumps(world.plan()) == codec.dumps(shuffled.plan())
    assert codec.loads(codec.dumps(world.plan()), Plan) == world.plan()


@pytest.mark.parametrize("world", [lab(), large(1, 3), large(3, 12)], ids=["lab", "one", "three"])
class TestWhateverTheFleet:
    def test_every_capture_comes_before_what_it_covers(self, world: World) -> None:
        plan = world.plan()
        order = list(steps(plan))
        for place, (number, host, step) in enumerate(order):
            if step.covered_by:
                made = [one for one in order[:place] if one[2].capture == step.covered_by]
                assert made
                # On another host it must be over, which only a wave before says.
                assert made[0][1] == host or made[0][0] < number
            if isinstance(step, SetPackages | SetOption) and not _closing(plan, number):
                captured = [one for one in order[:place] if one[1] == host and isinstance(one[2], CaptureState)]
                assert captured, step

    def test_a_database_is_dumped_once_all_of_its_services_stopped_and_migrated_once_all_packages_are_there(
        self, world: World
    ) -> None:
        plan = world.plan()
        dumps = [(number, host, step) for number, host, step in steps(plan) if isinstance(step, DumpDatabase)]
        syncs = [(number, host, step) for number, host, step in steps(plan) if isinstance(step, RunCommand)]
        assert Counter(step.database for _, _, step in dumps) == Counter(hosts.DATABASES)
        assert [step.covered for _, _, step in syncs] == [step.capture for _, _, step in dumps]
        for (dumped, keeper, _), (synced, first, _) in zip(dumps, syncs, strict=True):
            stage = plan.waves[synced].name.partition(":")[0]
            of_stage = [one for one in steps(plan) if plan.waves[one[0]].name.partition(":")[0] == stage]
            for number, host, step in of_stage:
                if isinstance(step, SetServices) and all(want.active is False for want in step.want):
                    assert number < dumped or (number == dumped and host == keeper)
                if isinstance(step, SetPackages):
                    assert dumped < number or (number == dumped and host == keeper)
                    assert number < synced or (number == synced and host == first)
                if isinstance(step, SetServices) and any(want.active for want in step.want):
                    assert synced < number or (number == synced and host == first)

    def test_no_database_is_dumped_where_one_of_its_hosts_failed_to_stop(self, world: World) -> None:
        plan = world.plan()
        for number, wave in enumerate(plan.waves):
            stage = {
                one for near in plan.waves if near.name.split(":")[0] == wave.name.split(":")[0] for one in near.hosts
            }
            dumped = any(isinstance(step, DumpDatabase) for at, _, step in steps(plan) if at == number)
            assert wave.together == ((tuple(sorted(stage)),) if dumped and len(stage) > 1 else ())

    def test_every_package_is_pinned_in_one_transaction_a_stage(self, world: World) -> None:
        facts = world.facts
        for host in world.states:
            changed = Counter(
                (one.name, one.arch)
                for _, _, step in steps(world.plan(), host=host)
                if isinstance(step, SetPackages)
                for one in step.want
            )
            assert set(changed.values()) <= {1}
        for _, host, step in steps(world.plan()):
            if isinstance(step, SetPackages):
                present = {package.key: package for package in facts[host].packages}
                assert all(one.version for one in step.want if one.goal == "installed")
                for one in step.want:
                    if one.key in present and one.goal == "installed":
                        assert (one.auto, one.hold) == (present[one.key].auto, present[one.key].hold)

    def test_scripts_start_no_service_that_the_stage_stopped_or_will_start(self, world: World) -> None:
        plan = world.plan()
        for number, host, step in steps(plan):
            if isinstance(step, SetPackages):
                stage = plan.waves[number].name.partition(":")[0]
                named = {
                    want.name
                    for near, _, other in steps(plan, host=host)
                    if plan.waves[near].name.partition(":")[0] == stage and isinstance(other, SetServices)
                    for want in other.want
                }
                assert named and named <= set(step.keep_stopped)

    def test_the_new_repository_comes_once_before_packages_and_the_old_goes_last(self, world: World) -> None:
        plan = world.plan()
        noted = plan.waves[-1]
        last = len(plan.waves) - 2
        assert all(isinstance(step, CaptureState) and step.end for work in noted.work for step in work.steps)
        for host in plan.hosts:
            own = [(number, step) for number, _, step in steps(plan, host=host)]
            packages = [place for place, (_, step) in enumerate(own) if isinstance(step, SetPackages)]
            repositories = [(place, *one) for place, one in enumerate(own) if isinstance(one[1], SetRepository)]
            if packages:
                (added, _, new), (_, removed, old) = repositories
                assert added == packages[0] - 1
                assert isinstance(new, SetRepository) and new.path == NEW and new.text
                assert (removed, old) == (last, SetRepository(OLD))
                assert host in noted.hosts
            else:
                assert repositories == []

    def test_the_cap_is_set_before_the_new_control_plane_starts_and_lifted_after_the_last_compute_node(
        self, world: World
    ) -> None:
        plan = world.plan()
        order = list(steps(plan))
        caps = [place for place, one in enumerate(order) if _is_cap(one[2])]
        values = [order[place][2].value for place in caps]  # type: ignore[attr-defined]
        controllers = len(values) // 2
        assert values == ["havana"] * controllers + [None] * controllers
        starts = [place for place, one in enumerate(order) if _wants(one[2], "nova-conductor", True)]
        compute = [
            place for place, one in enumerate(order) if isinstance(one[2], SetPackages) and one[1].startswith("cmp")
        ]
        assert max(caps[:controllers]) < min(starts)
        assert max(compute) < min(caps[controllers:])
        for place in caps[controllers:]:
            assert _wants(order[place - 1][2], "nova-conductor", False)
            assert _wants(order[place + 1][2], "nova-conductor", True)

    def test_each_host_is_assumed_to_have_its_packages_beforehand_and_when_it_is_touched(self, world: World) -> None:
        plan, facts = world.plan(), world.facts
        assumed: dict[str, list[str]] = {}
        for wave in plan.waves:
            for work in wave.work:
                assumed.setdefault(work.host, []).append(work.assumes)
        for host, (beforehand, first, *later) in assumed.items():
            assert beforehand == first == digest_of_packages(facts[host].packages)
            assert not any(later)

    def test_there_is_a_way_back_from_every_step(self, world: World) -> None:
        assert world.plan().points_of_no_return == ()

    def test_a_host_stands_in_a_wave_once(self, world: World) -> None:
        for wave in world.plan().waves:
            assert len(set(wave.hosts)) == len(wave.hosts)
            assert wave.hosts
        names = [wave.name for wave in world.plan().waves]
        assert len(set(names)) == len(names)


def _closing(plan: Plan, number: int) -> bool:
    return plan.waves[number].name.startswith("lift-cap")


def _is_cap(step: Step) -> bool:
    return isinstance(step, SetOption) and (step.section, step.option) == ("upgrade_levels", "compute")


def _wants(step: Step, service: str, active: bool) -> bool:
    return isinstance(step, SetServices) and ServiceWant(service, active) in step.want


def test_one_controller_makes_one_wave_a_stage() -> None:
    names = [wave.name for wave in lab().plan().waves]
    assert names[:5] == ["prepare", "identity", "image", "compute-control", "network: stop"]


def test_compute_nodes_go_in_growing_waves() -> None:
    plan = large().plan(serial="1,25%,100%")
    assert [len(wave.hosts) for wave in plan.waves if wave.name.startswith("compute-nodes")] == [1, 3, 8]


def test_a_renamed_package_takes_over_the_mark_and_other_new_ones_are_automatic() -> None:
    want = {
        one.name: one
        for _, _, step in steps(lab().plan(), host="net1")
        if isinstance(step, SetPackages)
        for one in step.want
    }
    assert not want["neutron-l3-agent"].auto and not want["quantum-l3-agent"].auto
    assert want["python-neutron"].auto and want["neutron-common"].auto
    assert want["python-quantumclient"].goal == "config-files"
    compute = [
        one for _, _, step in steps(lab().plan(), host="cmp1") if isinstance(step, SetPackages) for one in step.want
    ]
    assert {one.name: one.auto for one in compute}["python-oslo.messaging"]


def test_a_service_that_was_off_stays_off_under_its_new_name() -> None:
    world = lab()
    agent = world.states["net1"].services["quantum-l3-agent"]
    agent.active = agent.enabled = False
    plan = world.plan()
    started = [step for _, _, step in steps(plan, host="net1") if isinstance(step, SetServices)][-1]
    assert ServiceWant("neutron-l3-agent", False, False) in started.want
    assert ServiceWant("neutron-dhcp-agent", True, True) in started.want
    checked = [
        gate.describe() for wave in plan.waves for work in wave.gates if work.host == "net1" for gate in work.steps
    ]
    assert not any("l3-agent" in line for line in checked)


def test_held_packages_are_kept_and_what_waits_for_them_is_put_off() -> None:
    world = lab()
    for name in ("nova-compute", "nova-common", "python-nova", "python-novaclient"):
        world.states["cmp2"].packages[name].selection = "hold"
    plan = world.plan()
    assert [step for _, _, step in steps(plan, host="cmp2") if isinstance(step, SetPackages)] == []
    assert not any(_closing(plan, number) for number in range(len(plan.waves)))
    old_goes = {host for _, host, step in steps(plan) if isinstance(step, SetRepository) and step.text is None}
    assert old_goes == {"net1", "cmp1"}
    assert {"package-held", "stage-put-off"} <= {one.key for one in world.findings()}


def test_a_host_with_a_held_package_keeps_the_old_repository() -> None:
    world = lab()
    for name in ("keystone", "python-keystone", "python-keystoneclient"):
        world.states["ctl1"].packages[name].selection = "hold"
    plan = world.plan()
    assert "identity" not in {wave.name for wave in plan.waves}
    assert any(wave.name == "image" for wave in plan.waves)
    old_goes = {host for _, host, step in steps(plan) if isinstance(step, SetRepository) and step.text is None}
    assert old_goes == {"net1", "cmp1", "cmp2"}


def test_a_hold_outlives_a_transaction_that_changes_its_package() -> None:
    world, wanted = lab(), loader.load(SHIPPED)
    previews = world.previews(wanted)
    change = PackageChange("less", "amd64", "590-2.1~deb12u2", "600-1")
    previews["cmp2"]["compute-nodes"] = Transaction((change,))
    plan = upgrade.plan_upgrade(wanted, world.inventory, world.facts, previews)
    (changed,) = [step for _, _, step in steps(plan, host="cmp2") if isinstance(step, SetPackages)]
    assert [(one.name, one.hold) for one in changed.want] == [("less", True)]


def test_a_limit_leaves_the_cap_alone_until_all_compute_nodes_are_in_scope() -> None:
    world = lab()
    world.scope = ("ctl1", "net1", "cmp1")
    plan = world.plan()
    assert "cmp2" not in plan.hosts
    assert not any(_closing(plan, number) for number in range(len(plan.waves)))


def test_a_database_without_a_host_in_scope_is_refused() -> None:
    world = large(1, 1)
    world.scope = ("ctl1",)
    with pytest.raises(InvalidInput, match="identity: database keystone"):
        world.plan()


def test_two_stages_that_want_different_things_of_one_package_are_refused() -> None:
    world, wanted = lab(), loader.load(SHIPPED)
    previews = world.previews(wanted)
    for stage, version in (("identity", "1"), ("image", "2")):
        change = PackageChange("python-six", "all", "0", version)
        previews["ctl1"][stage] = Transaction((*previews["ctl1"][stage].changes, change))
    with pytest.raises(NoSolution, match="ctl1: image wants python-six 2, an earlier stage 1"):
        upgrade.plan_upgrade(wanted, world.inventory, world.facts, previews)

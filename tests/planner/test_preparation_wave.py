"""What a run does before the first service stops: all that can fail without one, on every host of the plan."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.engine import Outcome, Policy, execute
from nornir_upgrade.core.errors import DiskFull, Drift, GateFailed
from nornir_upgrade.core.facts.gather import package_digest
from nornir_upgrade.core.journal import Journal, owned
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import unwind
from nornir_upgrade.core.store import Store
from nornir_upgrade.planner.preparation_wave import NAME
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.gates import DatabaseDumps
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from tests.fake import cache, hosts
from tests.fake.fleet import FakeFleet
from tests.fake.state import HostState
from tests.fake.world import World, lab, large, mixed


@pytest.mark.parametrize("world", [lab(), mixed(), large(3, 12)], ids=["lab", "mixed", "large"])
class TestWhateverTheFleet:
    def test_every_host_is_in_the_first_wave_and_nothing_of_it_is_touched_there(self, world: World) -> None:
        plan = world.plan()
        first, *later = plan.waves
        assert first.name == NAME and not any(wave.name == NAME for wave in later)
        assert set(first.hosts) == {host for wave in later for host in wave.hosts}
        assert {type(step) for work in first.work for step in work.steps} == {DownloadPackages}
        assert {type(gate) for work in first.gates for gate in work.steps} == {DatabaseDumps}

    def test_what_its_packages_steps_install_is_downloaded_from_the_repositories_that_they_find(
        self, world: World
    ) -> None:
        first, *later = world.plan().waves
        for work in first.work:
            steps = [step for wave in later for one in wave.work if one.host == work.host for step in one.steps]
            want = [one for step in steps if isinstance(step, SetPackages) for one in step.want]
            new = [(step.path, step.text) for step in steps if isinstance(step, SetRepository) and step.text]
            assert len(work.steps) == any(one.goal == "installed" for one in want)
            for step in work.steps:
                assert isinstance(step, DownloadPackages)
                assert sorted(step.want, key=str) == sorted(want, key=str)
                assert [(one.path, one.text) for one in step.repositories] == new

    def test_what_will_be_dumped_is_dumped_on_trial_where_it_is(self, world: World) -> None:
        first, *later = world.plan().waves
        trials = {(work.host, gate.database) for work in first.gates for gate in work.steps}  # type: ignore[attr-defined]
        steps = [(work.host, step) for wave in later for work in wave.work for step in work.steps]
        assert trials == {(host, step.database) for host, step in steps if isinstance(step, DumpDatabase)}


def test_a_plan_in_which_nothing_is_downloaded_or_dumped_prepares_nothing() -> None:
    world = lab()
    for made in world.states.values():
        made.files[hosts.SOURCES.format(release="icehouse")] = made.files[hosts.SOURCES.format(release="havana")]
        for name in [*made.packages]:
            if "0ubuntu" in made.packages[name].version:
                made.packages[name].selection = "hold"
    assert world.plan().waves == ()


# ---------------------------------------------------------------------- on fake hosts


class Site:
    """Fake hosts of the lab and a plan for them, in a controller's hands."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        world = lab()
        self.plan = world.plan()
        self.fleet = FakeFleet((hosts.place(made, directory) for made in world.states.values()), workers=0)
        self.journal, self.store = journal, Store(directory / "store")
        self.before = self.fleet.observable()

    def carry_out(self, plan: Plan | None = None, **policy: int) -> Outcome:
        """A new run of the plan, or the last run resumed."""
        run = self.journal.open_run(plan) if plan else self.journal.run("last")
        return execute(run, self.fleet, self.journal, self.store, Policy(**policy), package_digest)  # type: ignore[arg-type]

    def undone(self) -> dict[str, HostState]:
        run = self.journal.run("last")
        back = self.journal.open_run(unwind(run), parent=run.id)
        assert execute(back, self.fleet, self.journal, self.store, Policy(max_fail=0), package_digest).succeeded
        return self.fleet.observable()

    def files(self, host: str) -> set[str]:
        return {path for path in self.fleet.hosts[host].state.files if path.startswith(f"{cache.DIRECTORY}/")}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as made:
        yield made


@contextmanager
def opened(directory: Path) -> Iterator[Site]:
    with owned(directory / "journal.db", "test") as journal:
        yield Site(directory, journal)


def test_it_brings_files_into_caches_and_dumps_into_the_store_and_changes_nothing_else(site: Site) -> None:
    site.carry_out(site.plan, stop_after=1)
    after = site.fleet.observable()
    assert len(site.files("ctl1")) == 26 and len(site.files("cmp1")) == 5
    for made in after.values():
        made.files = {path: file for path, file in made.files.items() if not path.startswith(f"{cache.DIRECTORY}/")}
    assert after == site.before
    assert not any(host.state.jobs for host in site.fleet.hosts.values())
    assert len(list(site.store.digests())) == len(hosts.DATABASES)
    assert site.undone() == site.before


def test_a_trial_is_no_way_back_and_the_dump_of_the_stopped_database_takes_no_second_place(site: Site) -> None:
    site.carry_out(site.plan, stop_after=1)
    trial = set(site.store.digests())
    assert site.journal.run("last").captures == {}
    assert site.carry_out().succeeded
    dumps = [before.dump for _, before in site.journal.run("last").captures.values() if hasattr(before, "dump")]
    assert set(dumps) == trial


def test_rows_that_are_written_after_the_trial_come_back(site: Site) -> None:
    site.carry_out(site.plan, stop_after=1)
    ctl1 = site.fleet.hosts["ctl1"]
    ctl1.state.databases["keystone"].tables["things"].append(["keystone-9", "written meanwhile"])
    ctl1.save()
    assert site.carry_out().succeeded
    rows = site.undone()["ctl1"].databases["keystone"].tables["things"]
    assert rows[-1] == ["keystone-9", "written meanwhile"]


def test_a_plan_of_before_there_was_such_a_wave_runs(site: Site) -> None:
    old = codec.loads(codec.dumps(Plan("forward", site.plan.origin, site.plan.waves[1:])), Plan)
    assert site.carry_out(old).succeeded
    assert site.undone() == site.before


def test_a_host_that_drifted_since_is_refused_before_its_services_stop(site: Site) -> None:
    site.carry_out(site.plan, stop_after=1)
    ctl1 = site.fleet.hosts["ctl1"]
    ctl1.state.packages["less"].version = "9"
    ctl1.save()
    running = ctl1.state.services["keystone"].active
    assert isinstance(site.carry_out().failed["ctl1"], Drift)
    assert running and ctl1.state.services["keystone"].active


def test_a_database_that_cannot_be_dumped_stops_the_run_while_all_services_run(site: Site) -> None:
    ctl1 = site.fleet.hosts["ctl1"]
    lost = ctl1.state.databases.pop("nova")
    outcome = site.carry_out(site.plan)
    assert isinstance(outcome.failed["ctl1"], GateFailed) and "'nova'" in str(outcome.failed["ctl1"])
    assert all(one.active for one in ctl1.state.services.values())
    ctl1.state.databases["nova"] = lost
    ctl1.save()
    assert site.carry_out().succeeded


def test_a_full_disk_stops_the_run_leaves_nothing_there_and_is_resumed_from(site: Site) -> None:
    cmp1 = site.fleet.hosts["cmp1"]
    cmp1.state.told[cache.FULL] = ""
    cmp1.save()
    outcome = site.carry_out(site.plan)
    assert isinstance(outcome.failed["cmp1"], DiskFull) and outcome.failed["cmp1"].hint
    assert site.files("cmp1") == set() and len(site.files("cmp2")) == 5
    del cmp1.state.told[cache.FULL]
    cmp1.save()
    assert site.carry_out().succeeded
    assert site.undone() == site.before

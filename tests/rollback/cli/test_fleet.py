"""The way back of a fleet of fake hosts: from the end, from wherever the controller died, and from a way back that was cut off."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed, InvalidInput, Unobtainable, Unreachable
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.run import Event
from rollback import assess, snapshot
from rollback.manifest.deviations import require_agreed
from rollback.plan.planner import plan_rollback
from tests.fake import hosts, way_back
from tests.fake.faults import Crash, raises_on
from tests.fake.fleet import FakeFleet, open_fleet
from tests.fake.state import HostState
from tests.fake.way_back import Site


@pytest.fixture(autouse=True)
def _on_fake_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assess, "gather", way_back.facts_of)
    monkeypatch.setattr(assess, "stock", way_back.stock)


@pytest.fixture(scope="module")
def havana(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole fleet, and what makes an exact return hard: holds, marks, and configuration of a package that was removed."""
    directory = tmp_path_factory.mktemp("havana")
    for host in hosts.fleet():
        host.packages["curl"].auto = True
        hosts.place(host, directory)
    return directory


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hosts, enough for every kind of step."""
    directory = tmp_path_factory.mktemp("small")
    hosts.place(hosts.havana("ctl1", ("nova-conductor", "quantum-server"), ("nova", "quantum")), directory)
    hosts.place(hosts.havana("cmp1", ("nova-compute",)), directory)
    return directory


def fresh(template: Path, directory: Path) -> Site:
    shutil.copytree(template, directory, dirs_exist_ok=True)
    return Site(directory)


def start(template: Path) -> dict[str, HostState]:
    return open_fleet(template).observable()


def cut_off(site: Site, number: int, act: Callable[[Site], object]) -> bool:
    """Do `act`; the controller dies right after the journal's event of that number, counted from now. Whether it came to that."""
    seen = itertools.count(1)

    def watch(_: Event) -> None:
        if next(seen) == number:
            raise Crash(f"event {number}")

    site.journal.watchers.append(watch)
    try:
        act(site)
    except Crash:
        return True
    site.journal.watchers.clear()
    return False


def test_the_fleet_comes_back_exactly(havana: Path, tmp_path: Path) -> None:
    site = fresh(havana, tmp_path)
    assert site.go_forward().succeeded
    assert site.fleet.observable() != start(havana)
    proof = site.go_back()
    assert proof.equal and not proof.expected
    assert site.fleet.observable() == start(havana)


def test_every_service_that_ran_runs_again_and_the_new_repository_is_off(havana: Path, tmp_path: Path) -> None:
    site = fresh(havana, tmp_path)
    site.go_forward()
    site.go_back()
    for host in site.fleet.hosts.values():
        assert all(service.active for service in host.state.services.values())
        assert way_back.OLD in host.state.files and way_back.NEW not in host.state.files


def test_without_restore_db_only_databases_differ_and_that_is_expected(tmp_path: Path) -> None:
    hosts.place(hosts.havana("ctl1", ("nova-common", "quantum-common"), ("nova", "quantum")), tmp_path)
    site = Site(tmp_path)
    outcome = site.go_forward()
    assert outcome.succeeded, outcome.failed
    proof = site.go_back(restore_db=False)
    assert proof.equal
    assert {one.area for one in proof.expected} == {"databases"}


def test_a_host_that_failed_forward_comes_back_with_the_others(havana: Path, tmp_path: Path) -> None:
    site = fresh(havana, tmp_path)
    failing = raises_on("job", lambda: CommandFailed("net1", "postinst", 1, ""), moment="after")
    site.fleet.hosts["net1"].faults.hook = failing
    assert site.go_forward().failed
    assert site.go_back().equal
    assert site.fleet.observable() == start(havana)


def test_twice_is_once(havana: Path, tmp_path: Path) -> None:
    site = fresh(havana, tmp_path)
    site.go_forward()
    assert site.go_back().equal
    assert site.go_back().equal
    assert site.fleet.observable() == start(havana)


@pytest.mark.crash
def test_wherever_the_controller_died_going_forward_the_fleet_comes_back(small: Path, tmp_path: Path) -> None:
    def lead(site: Site) -> None:
        run = site.journal.open_run(way_back.forward(site.fleet))
        snapshot.keep(site.journal, tuple(site.facts().values()), run=run.id)
        site.execute(run)

    for number in itertools.count(2, 3):
        cut = cut_off(fresh(small, tmp_path / str(number)), number, lead)
        site = Site(tmp_path / str(number))
        assert site.go_back().equal
        assert site.fleet.observable() == start(small), number
        if not cut:
            break
    assert number > 40


@pytest.mark.crash
def test_a_way_back_that_was_cut_off_anywhere_is_taken_again(small: Path, tmp_path: Path) -> None:
    for number in itertools.count(2, 4):
        site = fresh(small, tmp_path / str(number))
        site.go_forward()
        cut = cut_off(site, number, Site.go_back)
        site = Site(tmp_path / str(number))
        assert site.go_back().equal
        assert site.fleet.observable() == start(small), number
        if not cut:
            break
    assert number > 30


@pytest.mark.crash
def test_a_way_back_that_was_cut_off_anywhere_is_resumed(small: Path, tmp_path: Path) -> None:
    for number in itertools.count(4, 8):
        site = fresh(small, tmp_path / str(number))
        site.go_forward()
        if not cut_off(site, number, Site.go_back):
            break
        site = Site(tmp_path / str(number))
        assert site.execute(site.journal.run("last"), max_fail=0).succeeded
        assert site.fleet.observable() == start(small), number
    assert number > 30


def test_where_to_is_the_say_of_the_snapshot_not_of_the_direction(small: Path, tmp_path: Path) -> None:
    """From havana to a snapshot of icehouse, by way of the run that left it."""
    site = fresh(small, tmp_path)
    site.go_forward()
    there = site.fleet.observable()
    back = site.survey()
    plan = plan_rollback(back.snapshot, back.now, back.runs, back.manifests, restore_db=True)
    run = site.journal.open_run(plan)
    kept = snapshot.keep(site.journal, tuple(site.facts().values()), run=run.id)
    assert site.execute(run, max_fail=0).succeeded
    assert site.fleet.observable() == start(small)
    assert site.go_back(taken=kept).equal
    assert site.fleet.observable() == there


def test_the_old_repository_is_looked_into_though_it_is_off_and_without_it_versions_are_missed(
    small: Path, tmp_path: Path
) -> None:
    site = fresh(small, tmp_path)
    site.go_forward()
    found = site.survey()
    require_agreed(found.manifests.values())
    site.journal = Journal(tmp_path / "another.db")  # no run, and so no old repository
    with pytest.raises(Unobtainable, match="nova-compute="):
        require_agreed(site.survey(found.snapshot).manifests.values())


def test_a_host_that_does_not_answer_is_named_before_anything_changes(small: Path, tmp_path: Path) -> None:
    site = fresh(small, tmp_path)
    site.go_forward()
    site.fleet.hosts["cmp1"].faults.unreachable = True
    with pytest.raises(Unreachable, match="nothing was changed: cmp1"):
        site.survey()


def test_hosts_that_the_snapshot_does_not_know_are_left_alone(small: Path, tmp_path: Path) -> None:
    site = fresh(small, tmp_path)
    site.go_forward()
    hosts.place(hosts.bare("new1"), tmp_path)
    site = Site(tmp_path)
    assert "new1" in site.names and "new1" not in site.survey().now
    alone = FakeFleet([site.fleet.hosts["new1"]], workers=0)
    with pytest.raises(InvalidInput, match="knows none of the hosts new1"):
        assess.assess(alone, ("new1",), site.journal, site.store, snapshot.before_run(site.journal, "last"))

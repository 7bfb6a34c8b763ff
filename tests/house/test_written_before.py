"""What 0.1.0 wrote before its modules moved is read, resumed, unwound and rolled back: the cases in tests/cases/before.

`write_before.py` wrote them with the code of commit 5598c2b. Together they hold every kind of step and of event of then.
Deb hosts are fakes, kept as they were: both command lines carry their plans and journals on.

No fake plays an rpm host, so no rpm plan is carried out here. Its plan, journal, snapshots and manifests are decoded strictly
and encoded again without loss. Its run is told of by status and report, and what undoes it is the plan of then.
What its steps observed, and what became of them, was made up.

Not covered: a job that still ran on a host, package files that came into escrow by a run, copies that hosts keep.
"""

import json
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nornir_upgrade.core import codec
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import unwind
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.runner import session
from rollback import assess
from rollback.announcement import Announced
from rollback.cli.main import door
from rollback.manifest.files import read_all
from rollback.manifest.model import document, lines
from tests.cli.site import Site, loaded
from tests.fake import cache, way_back
from tests.fake.fleet import open_fleet
from tests.fake.host import FakeHost
from tests.fake.state import HostState

CASES = Path(__file__).parents[1] / "cases" / "before"
JOURNALS = ("interrupted", "finished", "cut-off", "returned", "rpm")
NEW = "1:2014.1-0ubuntu1~cloud0"
BEFORE, AFTER = "before the upgrade", "after the upgrade"


class Old(Site):
    """A controller's directory of before, with its hosts, and both command lines of now run in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "config.yaml"

    def states(self, name: str = "hosts") -> dict[str, HostState]:
        """All that is true of the hosts but apt's cache: in `hosts` now, in `start` and `end` what the code of before kept."""
        found = open_fleet(self.directory / name).observable()
        for state in found.values():
            state.files = {
                path: file for path, file in state.files.items() if not path.startswith(f"{cache.DIRECTORY}/")
            }
        return found

    def forward(self, *argv: str, code: int = 0) -> str:
        result = self.call(*argv)
        assert result.exit_code == code, result.output
        return result.stdout

    def back(self, *argv: str, code: int = 0) -> str:
        result = CliRunner().invoke(door, argv, prog_name="rollback")
        assert result.exit_code == code, result.output
        return result.stdout

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """What the journal's file says, read past our own reader."""
        with closing(sqlite3.connect(self.directory / ".state" / "journal.db")) as connection:
            return connection.execute(question).fetchall()

    @property
    def store(self) -> Store:
        return Store(self.directory / ".state" / "store")


Case = Callable[[str], Old]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """Unpacks a case; its directory is then the current one."""

    def unpacked(name: str) -> Old:
        directory = tmp_path / name
        with tarfile.open(CASES / f"{name}.tar.xz") as archive:
            for entry in archive:
                path = directory / entry.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(entry).read())  # type: ignore[union-attr]
        monkeypatch.chdir(directory)
        return Old(directory)

    monkeypatch.setattr(session, "_loaded", loaded)
    monkeypatch.setattr(assess, "stock", way_back.stock)
    yield unpacked


def packages(states: dict[str, HostState]) -> dict[str, dict[str, str]]:
    """The packages of each host with their versions."""
    return {host: {name: one.version for name, one in state.packages.items()} for host, state in states.items()}


def lost(old: Any, new: Any, place: str = "") -> str:
    """The first place in the JSON value `old` that `new` has not, or otherwise; '' where it has all."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = ((lost(value, new.get(key), f"{place}.{key}")) for key, value in old.items())
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = (
            lost(one, other, f"{place}[{number}]") for number, (one, other) in enumerate(zip(old, new, strict=True))
        )
    else:
        return "" if old == new else f"{place or 'all'}: {old!r}, now {new!r}"
    return next(filter(None, pairs), "")


def require_whole(text: str | bytes, kind: Any, source: str) -> Any:
    """What `text` stands for, read strictly. Fails where the value, written again, lacks anything of `text`."""
    value = codec.loads(text, kind, source=source)
    assert not lost(json.loads(text), json.loads(codec.dumps(value))), source
    return value


# ---------------------------------------------------------------------- plans


def test_a_saved_plan_of_deb_hosts_is_checked_and_carried_out(case: Case) -> None:
    there = packages(case("finished").states())
    site = case("saved")
    require_whole(Path("plan.json").read_text(), Plan, "plan.json")
    site.forward("check", "plan.json")
    assert site.states() == site.states("start")
    site.forward("run", "plan.json", "--yes")
    assert packages(site.states()) == there
    assert there["cmp1"]["nova-compute"] == there["ctl1"]["neutron-server"] == NEW


def test_a_saved_plan_of_rpm_hosts_is_read_whole(case: Case) -> None:
    case("rpm")
    plan = require_whole(Path("plan.json").read_text(), Plan, "plan.json")
    assert plan.hosts == ("rctl1", "rcmp1", "rcmp2")
    assert len(list(plan.steps())) == 56


# ---------------------------------------------------------------------- journals


@pytest.mark.parametrize("name", JOURNALS)
def test_nothing_of_a_journal_is_lost(case: Case, name: str) -> None:
    """Plans, events with what they observed, and snapshots: each as its row has it, with its seal."""
    site = case(name)
    rows = {row[0]: row[1:] for row in site.rows("SELECT id, parent, comment, plan FROM runs")}
    events = site.rows('SELECT seq, at, run, what, wave, host, "index", text, error, before FROM events ORDER BY seq')
    journal = site.journal()
    runs = journal.runs()
    assert {run.id for run in runs} == rows.keys()
    for run in runs:
        parent, comment, plan = rows[run.id]
        assert (run.parent, run.comment) == (parent, comment)
        assert run.plan == require_whole(plan, Plan, run.id)
        told = [(e.seq, e.at, e.run, e.what, e.wave, e.host, e.index, e.text, e.error) for e in run.events]
        assert told == [row[:-1] for row in events if row[2] == run.id]
        for event, row in zip(run.events, (row for row in events if row[2] == run.id), strict=True):
            observed = require_whole(row[-1], Step, f"event {row[0]}") if row[-1] else None
            assert event.before == observed
    snapshots = list(journal.snapshot_rows())
    assert len(snapshots) == len(site.rows("SELECT id FROM snapshots")) > 0
    for found, _, _, text in snapshots:
        require_whole(text, tuple[HostFacts, ...], found)
    journal.close()


def test_an_interrupted_run_is_told_of(case: Case) -> None:
    site = case("interrupted")
    found = site.json("status")
    assert (found["status"], found["direction"], found["origin"]) == ("open", "forward", "compact")
    assert found["author"] == "admin (as root) on deploy: nornir-upgrade run plan.json --yes"
    assert [(one["name"], one["state"]) for one in found["waves"]] == [
        ("prepare", "done"),
        ("control", "done"),
        ("compute", "begun"),
        ("old repository", "waiting"),
        ("others", "waiting"),
    ]
    assert [one["run"] for one in site.json("history")["runs"]] == [found["run"]]
    assert "repository /etc/apt/sources.list.d/cloud-icehouse.list" in site.forward("report", "--out", "-")


def test_an_interrupted_run_is_resumed_to_its_end(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that ended while no controller was there is looked for under the name that it had."""
    site, looked, follow = case("interrupted"), [], FakeHost.follow

    def noted(self: FakeHost, prefix: str, **more: Any) -> None:
        looked.append((self.name, prefix))
        follow(self, prefix, **more)

    (job,) = open_fleet(site.directory / "hosts").hosts["h2"].state.jobs
    monkeypatch.setattr(FakeHost, "follow", noted)
    site.forward("resume", "--yes")
    assert ("h2", job) in looked
    assert site.json("status")["status"] == "succeeded"
    assert packages(site.states()) == packages(site.states("end")) != packages(site.states("start"))


def test_an_interrupted_run_is_unwound_to_where_it_began(case: Case) -> None:
    site = case("interrupted")
    assert site.states() != site.states("start")
    site.forward("unwind", "--yes")
    assert site.states() == site.states("start")
    assert [one["status"] for one in site.json("history")["runs"]] == ["undone", "succeeded"]


def test_a_run_of_rpm_hosts_is_told_of_and_undone_by_the_same_plan(case: Case) -> None:
    site = case("rpm")
    found = site.json("status")
    assert (found["status"], found["comment"]) == ("open", "to icehouse")
    assert [(one["host"], one["failed"]) for one in found["hosts"]] == [("rctl1", 1), ("rcmp1", 1), ("rcmp2", 0)]
    assert [(one["host"], one["error"].split(":")[0]) for one in found["failures"]] == [
        ("rcmp1", "command-failed"),
        ("rcmp2", "unreachable"),
        ("rctl1", "gate-failed"),
    ]
    assert "openstack-nova-compute 2014.1-2.el7" in site.forward("report", "--out", "-")
    journal = site.journal()
    undoing = require_whole(Path("undo.json").read_text(), Plan, "undo.json")
    run = journal.run("last")
    assert unwind(run) == undoing and run.consent == {"rcmp1"}
    journal.close()


# ---------------------------------------------------------------------- the way back


def test_a_finished_run_is_rolled_back(case: Case) -> None:
    site = case("finished")
    assert site.states() != site.states("start")
    document = json.loads(site.back("apply", "--restore-db", "--yes", "-o", "json"))
    assert (document["equal"], document["differences"], document["exit_code"]) == (True, [], 0)
    assert site.states() == site.states("start")
    assert [one["status"] for one in site.json("history")["runs"]] == ["undone", "succeeded"]


def test_manifests_are_computed_as_they_were(case: Case) -> None:
    site = case("finished")
    site.back("compute", "--out", "again")
    again, manifests = read_all(Path("again")), read_all(Path("manifests"))
    assert {host: lines(one) for host, one in again.items()} == {host: lines(one) for host, one in manifests.items()}


def test_manifests_that_were_computed_before_are_applied(case: Case) -> None:
    site = case("finished")
    assert "equal (" in site.back("apply", "--manifest", "manifests", "--restore-db", "--yes")
    assert site.states() == site.states("start")


@pytest.mark.parametrize(("name", "family"), [("finished", "deb"), ("rpm", "rpm")])
def test_nothing_of_manifests_is_lost(case: Case, name: str, family: str) -> None:
    case(name)
    manifests = read_all(Path("manifests"))
    for host, one in manifests.items():
        text = Path("manifests", f"{host}.json").read_text()
        assert not lost(json.loads(text), json.loads(codec.dumps(document(one)))), host
        assert one.family == family
    if family == "rpm":
        assert lines(manifests["rcmp2"]) == (
            "kernel-core-",
            "openstack-nova-common=2013.2-2.el7",
            "openstack-nova-compute=2013.2-2.el7",
            "python-nova=2013.2-2.el7",
            "python-oslo-messaging-",
        )


def test_a_way_back_that_was_cut_off_is_resumed_and_compared_with_what_was_announced(case: Case) -> None:
    site = case("cut-off")
    journal = site.journal()
    announced = journal.run("last").announced
    journal.close()
    told = require_whole(site.store.get(announced), Announced, "what was announced")
    assert "shopdb" in told.theirs["cmp1"].names and "/etc/motd" in told.others["cmp1"].stays
    said = site.forward("resume", "--yes")
    assert "equal (" in said and "shopdb" in said and "as announced" in said
    assert site.states() == site.states("end")
    assert [one["status"] for one in site.json("history")["runs"]] == ["undone", "succeeded"]


def test_a_way_back_that_came_to_its_end_is_told_of(case: Case) -> None:
    site = case("returned")
    forward, back = site.json("history")["runs"]
    assert (forward["status"], forward["undone_by"]) == ("undone", back["run"])
    assert (back["status"], back["direction"], back["verdict"]) == ("succeeded", "rollback", "all is as it should be")
    assert "all is as it should be" in site.forward("report", "--out", "-")
    assert "Nothing to do" in site.back("apply", "--restore-db", "--yes")


# ---------------------------------------------------------------------- snapshots and escrow


def test_snapshots_are_listed_and_compared_whole_disks_too(case: Case) -> None:
    site = case("finished")
    listed = json.loads(site.back("snapshots", "-o", "json"))["snapshots"]
    assert [(one["label"], one["whole"], bool(one["run"])) for one in listed] == [
        (BEFORE, True, False),
        ("", False, True),
        (AFTER, True, False),
    ]
    found = json.loads(site.back("diff", BEFORE, AFTER, "--whole", "-o", "json"))
    changed = {(one["host"], one["area"], one["name"]) for one in found["differences"]}
    assert ("cmp1", "packages", "nova-compute:all") in changed
    assert found["whole"]["cmp1"]["unexplained"]
    now = json.loads(site.back("diff", AFTER, "--whole", "-o", "json"))
    assert now["differences"] == []


def test_snapshots_of_rpm_hosts_are_compared(case: Case) -> None:
    site = case("rpm")
    found = json.loads(site.back("diff", "last-2", AFTER, "-o", "json"))
    changed = {(one["host"], one["name"], one["before"], one["after"]) for one in found["differences"]}
    assert ("rcmp1", "python-nova:noarch", "2013.2-2.el7 installed", "2014.1-2.el7 installed") in changed
    assert json.loads(site.back("diff", "last", "last", "-o", "json"))["differences"] == []


def test_what_a_run_captured_is_listed_and_whole(case: Case) -> None:
    site = case("finished")
    told = {
        (one["what"], one["name"], one["host"])
        for one in json.loads(site.back("escrow", "list", "-o", "json"))["captures"]
    }
    assert ("dump", "nova", "ctl1") in told and ("configuration", "/etc/nova/nova.conf", "cmp1") in told
    assert "all whole" in site.back("escrow", "verify")


def test_package_files_of_both_families_are_found_in_escrow(case: Case) -> None:
    site = case("escrow")
    escrow = Escrow.beside(site.store)
    for store in (escrow.entries, escrow.holders.records):
        assert len(list(store.digests())) == 3
    files = {
        (one.file.family, one.file.name, one.source, one.checked): escrow.places(one.digest) for one in escrow.list()
    }
    assert files == {
        ("deb", "nova-common", "repository", "index"): ("controller", "cmp1"),
        ("deb", "quantum-common", "rebuilt", "name"): ("controller", "net1"),
        ("rpm", "openstack-nova-common", "cache", "signature"): ("rcmp1",),
    }
    found = json.loads(site.back("escrow", "list", "-o", "json"))["packages"]
    assert [one["file"]["name"] for one in found] == ["nova-common", "quantum-common", "openstack-nova-common"]
    assert not list(escrow.damage())

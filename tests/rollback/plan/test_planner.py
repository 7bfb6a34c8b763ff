"""The way back as a plan, from journals made by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import Irreversible, Unobtainable
from nornir_upgrade.core.facts.gather import Database, HostFacts, Service
from nornir_upgrade.core.packaging.model import PackageWant, digest_of_packages
from nornir_upgrade.core.plan import Plan, Work
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase, RestoreDatabase
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.gates import AuditClean, HttpStatus, PortOpen, ServiceActive, ServicesKept
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from rollback.plan.planner import plan_rollback
from rollback.plan.warnings import cautions
from rollback.solver.exact import exact
from tests.builders import Diary, facts, offering, package, plan, running, snapshot

OLD, NEW = "/etc/apt/sources.list.d/old.list", "/etc/apt/sources.list.d/new.list"
CONF = "/etc/quantum/quantum.conf"
EDITED = "/etc/default/quantum"
STOP = SetServices((ServiceWant("quantum-server", active=False),))
START = SetServices((ServiceWant("neutron-server", active=True),))
COMPUTE = SetServices((ServiceWant("nova-compute", active=True),))
UPGRADE = SetPackages((PackageWant("neutron", "all", "2", "installed"),), keep_stopped=("neutron-server",))
SYNC = RunCommand(("quantum-db-manage", "upgrade"), covered="database quantum")
FORWARD = plan(
    (
        "network",
        {
            "ctl1": (
                STOP,
                CaptureFiles(("/etc/quantum",), "configuration"),
                DumpDatabase("quantum"),
                SetRepository(OLD),
                SetRepository(NEW, "deb new"),
                UPGRADE,
                SetOption(EDITED, "DEFAULT", "debug", "true"),
                SYNC,
                START,
            )
        },
    ),
    ("compute", {"cmp1": (SetServices((ServiceWant("nova-compute", active=False),)), COMPUTE)}),
)
WAS_RUNNING = SetServices((ServiceWant("quantum-server", active=True),))
CAPTURE = RestoreFiles(("/etc/quantum",), (FileState(CONF, "file", "0640", "root", "root", "a" * 64),))
DUMP = RestoreDatabase("quantum", "d" * 64)
EDIT = RestoreFiles((EDITED,), (FileState(EDITED, "file", "0640", "root", "root", "b" * 64),))
BEFORES: tuple[Step | None, ...] = (
    WAS_RUNNING,
    CAPTURE,
    DUMP,
    SetRepository(OLD, "deb old"),
    SetRepository(NEW),
    SetPackages(()),
    EDIT,
    None,
    SetServices((ServiceWant("neutron-server", active=False),)),
)
THEN = {
    "ctl1": facts("ctl1", (package("quantum", "1"),), running("quantum-server", "cron"), (Database("quantum", "1"),)),
    "cmp1": facts("cmp1", (package("nova", "1"),), running("nova-compute")),
}
NOW = {
    "ctl1": facts("ctl1", (package("neutron", "2"),), running("neutron-server", "cron"), (Database("quantum", "2"),)),
    "cmp1": facts("cmp1", (package("nova", "1"),), running("nova-compute")),
}


MANIFESTS = {
    host: exact(THEN[host], NOW[host], offering(THEN[host].packages), {"snapshot": "snapshot-1"}) for host in NOW
}


def whole(diary: Diary, upto: int = len(BEFORES)) -> Run:
    """A run forward that began the first `upto` steps on ctl1, and, when that is all of them, those on cmp1."""
    begun: dict[tuple[int, str, int], Step | None] = {(0, "ctl1", n): BEFORES[n] for n in range(upto)}
    if upto == len(BEFORES):
        begun |= {(1, "cmp1", 0): COMPUTE, (1, "cmp1", 1): SetServices((ServiceWant("nova-compute", active=False),))}
    return diary.went(FORWARD, begun, ended="succeeded" if upto == len(BEFORES) else "failed")


def back(
    *runs: Run,
    then: dict[str, HostFacts] = THEN,
    now: dict[str, HostFacts] = NOW,
    restore_db: bool = True,
    consent: frozenset[str] = frozenset(),
) -> Plan:
    manifests = {
        host: exact(then[host], now[host], offering(then[host].packages), {"snapshot": "snapshot-1"}) for host in now
    }
    return plan_rollback(snapshot(*then.values()), now, runs, manifests, restore_db=restore_db, consent=consent)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path)


def steps(made: Plan, host: str) -> list[Step]:
    return [step for _, name, step in made.steps() if name == host]


def waves(made: Plan) -> dict[str, tuple[str, ...]]:
    return {wave.name: wave.hosts for wave in made.waves}


def verified(made: Plan, host: str) -> tuple[Step, ...]:
    """What must hold on the host at the end."""
    return next((work.steps for work in made.waves[-1].gates if work.host == host), ())


def gated(*gates: Step) -> Plan:
    """The plan forward, with gates after ctl1's stage."""
    first, *rest = FORWARD.waves
    return replace(FORWARD, waves=(replace(first, gates=(Work("ctl1", gates),)), *rest))


NAMES = ("neutron-server", "quantum-server")
ANSWER = HttpStatus(
    "http://127.0.0.1:9696/",
    contains="v2",
    timeout=90.0,
    services=NAMES,
    says="v{version}",
    packages=("neutron", "quantum"),
)


def test_the_gates_of_a_run_are_asked_again_of_the_old_version(diary: Diary) -> None:
    port = PortOpen(9696, timeout=90.0, services=NAMES)
    run = diary.went(gated(ServiceActive("neutron-server"), port, ANSWER, AuditClean()), {(0, "ctl1", 0): WAS_RUNNING})
    made = back(run)
    assert verified(made, "ctl1") == (port, replace(ANSWER, contains="v1"), ServicesKept(("cron",)))
    assert made.waves[-1].name == "verify" and codec.loads(codec.dumps(made), Plan) == made


def test_a_service_that_did_not_run_answers_nothing(diary: Diary) -> None:
    run = diary.went(gated(PortOpen(9696, services=NAMES), ANSWER), {(0, "ctl1", 0): WAS_RUNNING})
    then = {"ctl1": replace(THEN["ctl1"], services=running("cron"))}
    assert verified(back(run, then=then, now={"ctl1": NOW["ctl1"]}), "ctl1") == (ServicesKept(("cron",)),)


def test_a_gate_of_before_it_knew_its_service_says_nothing_of_a_version(diary: Diary) -> None:
    old = HttpStatus("http://127.0.0.1:9696/", contains="v2")
    run = diary.went(gated(old), {(0, "ctl1", 0): WAS_RUNNING})
    assert verified(back(run), "ctl1")[0] == HttpStatus("http://127.0.0.1:9696/")


def test_the_whole_way_back_in_its_order(diary: Diary) -> None:
    made = back(whole(diary))
    stop, kept, old, database, edit, capture, packages, new, capture_again, database_again, start = steps(made, "ctl1")
    assert isinstance(stop, SetServices) and {w.name: w.active for w in stop.want} == {
        "quantum-server": False,
        "neutron-server": False,
    }
    assert (old, new) == (SetRepository(OLD, "deb old"), SetRepository(NEW))
    assert database == database_again == DUMP
    assert (edit, capture, capture_again) == (EDIT, CAPTURE, CAPTURE)
    assert isinstance(kept, CaptureFiles) and kept.roots == CAPTURE.roots
    assert isinstance(packages, SetPackages) and packages.downgrade
    assert {(w.name, w.goal, w.version) for w in packages.want} == {
        ("quantum", "installed", "1"),
        ("neutron", "absent", ""),
    }
    assert set(packages.keep_stopped) == {"quantum-server", "neutron-server"}
    assert start == SetServices((ServiceWant("quantum-server", True, True),))
    assert (made.direction, made.origin) == ("rollback", "snapshot-1")


def test_services_stop_everywhere_before_anything_changes_and_start_in_the_old_order(diary: Diary) -> None:
    made = back(whole(diary))
    assert list(waves(made)) == [
        "stop services",
        "old repositories, databases, edits",
        "packages",
        "new repositories off, configuration",
        "start network",
        "start compute",
        "verify",
    ]
    assert waves(made)["stop services"] == ("ctl1", "cmp1")
    assert waves(made)["start compute"] == ("cmp1",)
    gates = {wave.name: [gate for work in wave.gates for gate in work.steps] for wave in made.waves}
    assert gates["start compute"] == [ServiceActive("nova-compute")]
    assert gates["packages"] == [AuditClean()]


def test_services_stopped_in_one_wave_start_again_in_the_order_of_the_starts(diary: Diary) -> None:
    stop = SetServices(tuple(ServiceWant(name, active=False) for name in ("b", "a")))
    first, second = (SetServices((ServiceWant(name, active=True),)) for name in ("a", "b"))
    made = plan(("stop", {"ctl1": (stop,)}), ("one", {"ctl1": (first,)}), ("two", {"ctl1": (second,)}))
    run = diary.went(made, {(0, "ctl1", 0): SetServices((ServiceWant("b", True), ServiceWant("a", True)))})
    then = {"ctl1": facts("ctl1", services=running("a", "b"))}
    waves_back = back(run, then=then, now={"ctl1": facts("ctl1")}).waves
    assert [(wave.name, wave.gates[0].steps) for wave in waves_back[1:]] == [
        ("start one", (ServiceActive("a"),)),
        ("start two", (ServiceActive("b"),)),
    ]


def test_a_service_that_did_not_run_is_not_started_though_it_runs_now(diary: Diary) -> None:
    before = {"ctl1": facts("ctl1", THEN["ctl1"].packages)}
    made = back(whole(diary), then=before, now={"ctl1": NOW["ctl1"]})
    assert [type(step) for step in steps(made, "ctl1")].count(SetServices) == 1
    assert not any(isinstance(gate, ServiceActive) for wave in made.waves for w in wave.gates for gate in w.steps)


def test_a_service_that_no_run_touched_is_left_alone(diary: Diary) -> None:
    made = back(whole(diary))
    assert "cron" not in codec.dumps([step for _, _, step in made.steps()])
    assert verified(made, "ctl1") == (ServicesKept(("cron",)),)


def test_a_service_that_stood_still_stands_still_again_though_scripts_of_its_package_start_it(diary: Diary) -> None:
    idle = (Service("quantum", False, "enabled"), Service("other", False, "enabled"))
    then = {"ctl1": replace(THEN["ctl1"], services=(*THEN["ctl1"].services, *idle))}
    made = list(steps(back(whole(diary), then=then, now={"ctl1": NOW["ctl1"]}), "ctl1"))
    (last,) = [step for step in made if isinstance(step, SetServices) and "quantum" in {w.name for w in step.want}][1:]
    assert ServiceWant("quantum", active=False, enabled=True) in last.want
    assert "other" not in codec.dumps(made)


def test_a_service_that_came_with_a_package_is_stopped_though_no_step_names_it(diary: Diary) -> None:
    now = {"ctl1": facts("ctl1", NOW["ctl1"].packages, running("neutron-metadata-agent", "getty@tty1"))}
    stop = steps(back(whole(diary), now=now), "ctl1")[0]
    assert isinstance(stop, SetServices) and "neutron-metadata-agent" in {w.name for w in stop.want}
    assert "getty@tty1" not in codec.dumps(stop)


def test_what_was_captured_before_it_was_edited_goes_back_with_its_tree_alone(diary: Diary) -> None:
    inside = RestoreFiles((CONF,), (FileState(CONF, "file", "0640", "root", "root", "b" * 64),))
    edit = SetOption(CONF, "DEFAULT", "debug", "true")
    forward = plan(("network", {"ctl1": (edit, CaptureFiles(("/etc/quantum",), "configuration"), edit)}))
    first = steps(back(diary.went(forward, {(0, "ctl1", 0): inside, (0, "ctl1", 1): CAPTURE})), "ctl1")
    later = steps(back(diary.went(forward, {(0, "ctl1", 1): CAPTURE, (0, "ctl1", 2): inside})), "ctl1")
    assert inside in first and CAPTURE in first
    assert inside not in later and CAPTURE in later


@pytest.mark.parametrize(("version", "before"), [("10.11", DUMP), ("11.8", DumpDatabase("quantum"))])
def test_a_database_whose_server_goes_back_is_restored_by_the_older_one_alone(
    diary: Diary, version: str, before: Step
) -> None:
    then = {"ctl1": replace(THEN["ctl1"], packages=(package("mariadb-server", "10.11"),))}
    now = {"ctl1": replace(NOW["ctl1"], packages=(package("mariadb-server", version),))}
    found = steps(back(whole(diary), then=then, now=now), "ctl1")
    assert [step for step in found if isinstance(step, RestoreDatabase | DumpDatabase)] == [before, DUMP]


def test_databases_are_left_alone_unless_asked_for(diary: Diary) -> None:
    made = back(whole(diary), restore_db=False)
    assert not any(isinstance(step, RestoreDatabase) for step in steps(made, "ctl1"))


@pytest.mark.parametrize("upto", range(1, len(BEFORES)))
def test_a_run_that_died_anywhere_is_undone_as_far_as_it_came(diary: Diary, upto: int) -> None:
    made = back(whole(diary, upto))
    kinds = {"database": DUMP, "capture": CAPTURE, "edit": EDIT, "old": BEFORES[3], "new": BEFORES[4]}
    begun = {name for name, before in kinds.items() if before in BEFORES[:upto]}
    assert {name for name, before in kinds.items() if before in steps(made, "ctl1")} == begun
    assert waves(made)["packages"] == ("ctl1",)


def test_of_several_runs_the_earliest_before_counts(diary: Diary) -> None:
    first = whole(diary, 5)
    again: dict[tuple[int, str, int], Step | None] = {
        (0, "ctl1", 1): RestoreFiles(("/etc/quantum",), ()),
        (0, "ctl1", 2): RestoreDatabase("quantum", "e" * 64),
        (0, "ctl1", 3): SetRepository(OLD),
        (0, "ctl1", 4): SetRepository(NEW, "deb new"),
    }
    assert steps(back(first, diary.went(FORWARD, again)), "ctl1") == steps(back(first), "ctl1")


def test_an_overlapping_capture_of_a_later_run_is_restored_before_the_earlier_one(diary: Diary) -> None:
    later = RestoreFiles(("/etc",), ())
    made = plan(("files", {"ctl1": (CaptureFiles(("/etc",), "all"),)}))
    found = steps(back(whole(diary), diary.went(made, {(0, "ctl1", 0): later})), "ctl1")
    assert found.index(later) < found.index(CAPTURE)


def test_a_command_that_was_undone_already_is_undone_once_and_never_done_again(diary: Diary) -> None:
    do, undo = RunCommand(("on",), ("off",)), RunCommand(("off",), ("on",))
    forward = diary.went(plan(("one", {"ctl1": (do,)})), {(0, "ctl1", 0): undo})
    unwound = diary.went(plan(("undo", {"ctl1": (undo,)})), {(0, "ctl1", 0): do})
    commands = [step for step in steps(back(forward, unwound), "ctl1") if isinstance(step, RunCommand)]
    assert commands == [undo]


def test_commands_are_undone_backwards(diary: Diary) -> None:
    made = plan(("one", {"ctl1": (RunCommand(("a",), ("undo-a",)), RunCommand(("b",), ("undo-b",)))}))
    befores: dict[tuple[int, str, int], Step | None] = {
        (0, "ctl1", n): RunCommand((f"undo-{name}",), (name,)) for n, name in enumerate("ab")
    }
    found = [step.argv for step in steps(back(diary.went(made, befores)), "ctl1") if isinstance(step, RunCommand)]
    assert found == [("undo-b",), ("undo-a",)]


def test_a_point_of_no_return_that_was_passed_needs_consent(diary: Diary) -> None:
    run = diary.went(plan(("one", {"ctl1": (RunCommand(("rm", "it")),)})), {(0, "ctl1", 0): None})
    with pytest.raises(Irreversible, match="ctl1: no way back past: run rm it"):
        back(run)
    assert waves(back(run, consent=frozenset({"ctl1"})))["packages"] == ("ctl1",)


def test_a_migration_whose_dump_is_lost_needs_consent(diary: Diary) -> None:
    run = diary.went(FORWARD, {(0, "ctl1", 7): None})
    with pytest.raises(Irreversible, match="database quantum was never captured"):
        back(run)


def test_packages_that_cannot_be_had_are_never_planned(diary: Diary) -> None:
    manifest = exact(THEN["ctl1"], NOW["ctl1"], offering(()), {})
    with pytest.raises(Unobtainable):
        plan_rollback(snapshot(THEN["ctl1"]), {"ctl1": NOW["ctl1"]}, (), {"ctl1": manifest})


def test_the_first_work_of_each_host_and_no_other_assumes_its_packages(diary: Diary) -> None:
    made = back(whole(diary))
    assumed = [(work.host, work.assumes) for wave in made.waves for work in wave.work if work.assumes]
    assert assumed == [(host, digest_of_packages(NOW[host].packages)) for host in ("ctl1", "cmp1")]


def test_without_any_run_only_packages_and_their_services_go_back() -> None:
    made = back()
    assert list(waves(made)) == ["stop services", "packages", "start the rest", "verify"]


def test_a_fleet_that_is_as_it_was_has_an_empty_plan() -> None:
    assert back(now=THEN).waves == ()


def test_the_plan_is_the_same_for_the_same_facts_and_survives_json(diary: Diary) -> None:
    run = whole(diary)
    assert codec.dumps(back(run)) == codec.dumps(back(run))
    assert codec.loads(codec.dumps(back(run)), Plan) == back(run)


def test_config_files_of_another_version_take_a_second_transaction() -> None:
    then = {"ctl1": facts("ctl1", (package("old", "1", "config-files"),))}
    now = {"ctl1": facts("ctl1", (package("old", "2"),))}
    first, second = (step for step in steps(back(then=then, now=now), "ctl1") if isinstance(step, SetPackages))
    assert [(w.goal, w.version) for w in (*first.want, *second.want)] == [("installed", "1"), ("config-files", "")]


def test_cautions_name_every_database_that_stays_migrated_or_loses_rows(diary: Diary) -> None:
    run = whole(diary)
    (left,) = cautions(snapshot(*THEN.values()), NOW, (run,), MANIFESTS, restore_db=False)
    assert "ctl1: database quantum was migrated" in left and "--restore-db" in left
    (lost,) = cautions(snapshot(*THEN.values()), NOW, (run,), MANIFESTS, restore_db=True)
    assert "ctl1: data written to database quantum since" in lost
    (unknown,) = cautions(snapshot(*THEN.values()), NOW, (), MANIFESTS, restore_db=True)
    assert "no run since the snapshot dumped it" in unknown


def test_what_stands_in_a_cache_is_left_there(diary: Diary) -> None:
    prepare = DownloadPackages(UPGRADE.want)
    begun = {(0, "ctl1", 0): DownloadPackages((), gone=("neutron_2_all.deb",))}
    prepared = diary.went(plan(("prepare", {"ctl1": (prepare,)})), begun, ended="stopped")
    assert not any(isinstance(step, DownloadPackages) for step in steps(back(prepared, whole(diary)), "ctl1"))

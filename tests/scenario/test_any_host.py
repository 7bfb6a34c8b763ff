"""Scenarios for any host: no repositories of their own, suites rewritten in place, packages of some origins alone."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.gather import HostFacts, Service, SourceFile
from nornir_upgrade.core.packaging.deb.family import APT
from nornir_upgrade.core.packaging.model import Repository
from nornir_upgrade.core.packaging.origins import Origin
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.planner import repository_switch, upgrade
from nornir_upgrade.planner.repository_switch import has_both
from nornir_upgrade.preflight.host import of_sources
from nornir_upgrade.scenario import loader
from nornir_upgrade.scenario import text as scenario_text
from nornir_upgrade.scenario.model import SERIAL
from nornir_upgrade.steps.gates import HttpStatus, PortOpen, ServiceActive, ServicesKept
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import SetServices
from nornir_upgrade.steps.state import CaptureState
from tests.fake.world import World, lab, mixed

ORDINARY = ("full-upgrade", "release-upgrade", "security-updates")
LIST = "/etc/apt/sources.list"
OLD = "deb http://deb.example/debian bookworm main\n# by hand\ndeb http://vendor.example/ stable main\n"
NEW = OLD.replace("bookworm", "trixie")
SMALL = 'format: "1.0"\nname: small\nstages: [{name: every, packages: ["*"]}]\n'


def beside(path: str) -> str:
    return repository_switch.beside(APT.repositories, path)


def written(directory: Path, text: str) -> str:
    path = directory / "small.yaml"
    path.write_text(text)
    return str(path)


def repositories(plan: Plan, host: str) -> list[SetRepository]:
    return [step for _, name, step in plan.steps() if name == host and isinstance(step, SetRepository)]


def with_sources(world: World, text: str = OLD, *more: str) -> dict[str, HostFacts]:
    """The facts of the world's hosts, each with this sources.list, and with `more` files."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    sources = (SourceFile(LIST, digest), *(SourceFile(path, "0" * 64) for path in more))
    return {name: replace(facts, sources=sources) for name, facts in world.facts.items()}


def release_plan(world: World, facts: dict[str, HostFacts], text: str = OLD) -> Plan:
    wanted = loader.load("release-upgrade")
    texts = {name: {LIST: text} for name in facts}
    return upgrade.plan_upgrade(wanted, world.inventory, facts, world.previews(wanted), texts)


# ---------------------------------------------------------------------- shipped ones


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_host_needs_no_setting_and_one_goes_first(name: str) -> None:
    found = loader.load(name)
    assert found.summary and [stage.groups for stage in found.stages] == [("all",)]
    assert {stage.serial for stage in found.stages} == {SERIAL} and SERIAL.startswith("1,")


def test_a_full_upgrade_changes_no_repository_and_takes_one_host_first() -> None:
    world = mixed()
    plan = world.plan("full-upgrade")
    assert not any(isinstance(step, SetRepository) for _, _, step in plan.steps())
    assert [(wave.name, len(wave.hosts)) for wave in plan.waves[1:]] == [
        ("upgrade 1/3", 1),
        ("upgrade 2/3", 1),
        ("upgrade 3/3", 5),
        ("state", 7),
    ]
    assert {host for wave in plan.waves[1:] for host in wave.hosts} == set(world.facts)
    assert not [
        one for one in world.findings("full-upgrade") if one.key in ("group-empty", "family-without-repositories")
    ]


def test_without_services_whatever_ran_must_run_afterwards() -> None:
    plan = lab().plan("full-upgrade")
    gates = {work.host: work.steps for wave in plan.waves for work in wave.gates}
    assert ServicesKept(("nova-compute",)).services[0] in {
        name for gate in gates["cmp1"] if isinstance(gate, ServicesKept) for name in gate.services
    }


def test_redis_is_stopped_before_its_data_are_captured_and_starts_after_the_packages() -> None:
    world = lab()
    known = with_sources(world)
    redis = Service("redis-server", True, "enabled")
    known["cmp1"] = replace(known["cmp1"], services=(*known["cmp1"].services, redis))
    plan = release_plan(world, known)
    own = [step for _, name, step in plan.steps() if name == "cmp1"]
    at = {type(step): index for index, step in reversed(list(enumerate(own)))}
    (stop, start) = (step for step in own if isinstance(step, SetServices))
    assert [(one.name, one.active) for one in (*stop.want, *start.want)] == [
        ("redis-server", False),
        ("redis-server", True),
    ]
    assert own.index(stop) < at[CaptureState] < at[SetPackages] < own.index(start)
    captured = own[at[CaptureState]]
    assert isinstance(captured, CaptureState) and captured.configuration == ("/etc", "/var/lib/redis")


def test_nothing_is_stopped_where_there_is_no_redis_and_its_data_can_be_left_out() -> None:
    world = lab()
    plan = release_plan(world, with_sources(world))
    assert plan.waves and not any(isinstance(step, SetServices) for _, _, step in plan.steps())
    (stage,) = loader.load("release-upgrade", {"redis": ""}).stages
    assert stage.configuration == ("/etc",)


# ---------------------------------------------------------------------- batches


@pytest.mark.parametrize("name", loader.names())
def test_the_size_of_batches_can_be_told_for_any_scenario(name: str) -> None:
    told, own = loader.load(name, serial="3"), loader.load(name)
    assert [stage.serial for stage in told.stages] == ["1" if stage.serial == "1" else "3" for stage in own.stages]
    with pytest.raises(InvalidInput, match="serial '5,1'"):
        loader.load(name, serial="5,1")


# ---------------------------------------------------------------------- the shortest scenario


def test_the_shortest_scenario(tmp_path: Path) -> None:
    found = loader.load(written(tmp_path, SMALL))
    (stage,) = found.stages
    assert (stage.groups, stage.serial, found.repositories, found.families) == (("all",), SERIAL, (), ("deb", "rpm"))
    assert stage.outage and stage.way_back and "repositories" not in scenario_text.in_text(found)
    assert lab().plan(written(tmp_path, SMALL)).waves


def test_a_gate_waits_as_long_as_its_service_takes(tmp_path: Path) -> None:
    text = """\
format: "1.0"
name: small
services: {nova-compute: {port: 18003, path: /, says: "{version}", timeout: 200}}
stages: [{name: every, groups: [compute], packages: ["*"], services: [nova-compute]}]
"""
    gates = [gate for wave in lab().plan(written(tmp_path, text)).waves for work in wave.gates for gate in work.steps]
    timed = [gate for gate in gates if isinstance(gate, ServiceActive | PortOpen | HttpStatus)]
    assert timed and {gate.timeout for gate in timed} == {200.0}
    for wrong in ("0", "3601", "soon"):
        with pytest.raises(InvalidInput, match=r"services\.nova-compute\.timeout: must be a whole number"):
            loader.load(written(tmp_path, text.replace("200", wrong)))


# ---------------------------------------------------------------------- suites in place


def test_new_suites_stand_beside_the_old_file_until_all_is_done() -> None:
    world = lab()
    plan = release_plan(world, with_sources(world))
    extra, digest = beside(LIST), hashlib.sha256(OLD.encode()).hexdigest()
    assert repositories(plan, "cmp1") == [
        SetRepository(extra, "deb http://deb.example/debian trixie main\n"),
        SetRepository(LIST, NEW, replaces=digest),
        SetRepository(extra),
    ]
    held = {name for name, facts in world.facts.items() if any(one.hold for one in facts.packages)}
    assert plan.waves[-2].name == "old-repository" and {*plan.waves[-2].hosts} == {*world.facts} - held


def test_what_is_rewritten_is_not_rewritten_again_and_what_was_cut_off_is_ended() -> None:
    world = lab()
    assert not repositories(release_plan(world, with_sources(world, NEW), NEW), "cmp1")
    facts = with_sources(world, NEW, beside(LIST))
    assert has_both(loader.load("release-upgrade"), facts["cmp1"])
    assert repositories(release_plan(world, facts, NEW), "cmp1") == [SetRepository(beside(LIST))]


def test_a_host_of_another_release_is_found() -> None:
    wanted, facts = loader.load("release-upgrade"), with_sources(lab())
    texts = {"cmp1": {LIST: OLD}, "cmp2": {LIST: NEW}, "ctl1": {LIST: "deb http://x/ sid main\n"}, "net1": {}}
    found = list(of_sources(wanted, facts, texts))
    assert [(one.key, one.host, one.severity) for one in found] == [
        ("suite-missing", "ctl1", "blocking"),
        ("suite-missing", "net1", "blocking"),
    ]


def test_a_password_in_a_source_file_is_in_no_plan() -> None:
    world, secret = lab(), OLD + "deb https://user:canary@vendor.example/ bookworm main\n"
    with pytest.raises(InvalidInput, match=r"sources\.list holds a password") as refusal:
        release_plan(world, with_sources(world, secret), secret)
    assert "canary" not in refusal.value.message


def test_one_file_for_old_and_new_is_replaced_in_place(tmp_path: Path) -> None:
    path = "/etc/apt/sources.list.d/cloud-havana.list"
    text = f"""\
{SMALL}
repositories:
  old: {{path: {path}}}
  new: {{path: {path}, text: "deb http://10.99.0.1:8000/icehouse icehouse main"}}
"""
    file, world = written(tmp_path, text), lab()
    found, digest = repositories(world.plan(file), "cmp1"), world.facts["cmp1"].sources[0].digest
    assert [(one.path, bool(one.text), one.replaces) for one in found] == [
        (beside(path), True, ""),
        (path, True, digest),
        (beside(path), False, ""),
    ]
    told = scenario_text.in_text(loader.load(file))
    assert f"{path} is replaced" in told and "removed" not in told
    with pytest.raises(InvalidInput, match=r"repositories\.rpm\.new: must be another file"):
        loader.load(
            written(
                tmp_path,
                text.replace("repositories:", "repositories:\n rpm:").replace(
                    "/etc/apt/sources.list.d/cloud-havana.list", "/etc/yum.repos.d/a.repo"
                ),
            )
        )


@pytest.mark.parametrize(
    ("rewrite", "says"),
    [
        ("{path: /etc/passwd, suites: {a: b}}", "path: must be a path of apt's source files"),
        ("{path: /etc/apt/sources.list, suites: {}}", "suites: names no suite"),
        ('{path: /etc/apt/sources.list, suites: {"a*": b}}', "must have one \\* each"),
        ("{path: /etc/apt/sources.list, suites: {a: b, b: c}}", "'b' is an old suite as well"),
        ("{path: /etc/apt/sources.list}", "lacks suites"),
    ],
)
def test_suites_that_cannot_be_rewritten(tmp_path: Path, rewrite: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        loader.load(written(tmp_path, f"{SMALL}repositories: {{rewrite: [{rewrite}]}}\n"))


# ---------------------------------------------------------------------- origins


def test_each_family_is_asked_in_its_own_words() -> None:
    world, wanted = mixed(), loader.load("security-updates")
    index = Repository(500, "http://x", "oldstable", "main", "amd64", "Debian", "Debian", "bookworm")
    facts = {name: replace(its, repositories=(index,)) for name, its in world.facts.items()}
    asked = upgrade.requests(wanted, world.inventory, facts)
    assert asked["rctl1"].narrow == {"security": "--security"}
    pins = asked["ctl1"].narrow["security"].split("\n\n")
    assert pins[1:3] == [
        "Package: *\nPin: release o=Debian,l=Debian,a=oldstable,n=bookworm,c=main\nPin-Priority: 90",
        "Package: *\nPin: release a=*-security\nPin-Priority: 500",
    ]


def test_a_stage_with_origins_of_one_family_is_not_for_the_other(tmp_path: Path) -> None:
    text = SMALL.replace('"*"]', '"*"], only_from: {label: Debian-Security}')
    wanted, world = loader.load(written(tmp_path, text)), mixed()
    assert wanted.stages[0].only_from == (Origin(label="Debian-Security"),)
    assert not [name for name in upgrade.requests(wanted, world.inventory, world.facts) if name in world.rpm]


@pytest.mark.parametrize(
    ("origins", "says"),
    [
        ("[]", "names no origin"),
        ("{}", "holds words of apt, or words of dnf"),
        ("{suite: a, advisory: security}", "holds words of apt, or words of dnf"),
        ("{advisory: important}", "advisory: must be security, bugfix"),
        ('{suite: "a,b"}', "suite: must be a word or glob without commas"),
        ("{site: x}", "there is no key 'site' here"),
        ("[{advisory: security}, {repository: baseos}]", "dnf is asked for repositories or for advisories"),
    ],
)
def test_origins_that_are_none(tmp_path: Path, origins: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        loader.load(written(tmp_path, SMALL.replace('"*"]', f'"*"], only_from: {origins}')))


def test_a_name_that_the_release_may_have_changed_is_asked_for_with_both() -> None:
    world = lab()
    asked = upgrade.requests(loader.load("service-by-service"), world.inventory, world.facts)
    assert "quantum-server>neutron-server" in asked["ctl1"].packages["network"]
    assert "keystone" in asked["ctl1"].packages["identity"]


def test_the_main_file_is_no_new_one(tmp_path: Path) -> None:
    text = f'{SMALL}repositories: {{new: {{path: {LIST}, text: "deb http://x/ trixie main"}}}}\n'
    with pytest.raises(
        InvalidInput, match=r"repositories\.new: must be a file in /etc/apt/sources\.list\.d"
    ) as refusal:
        loader.load(written(tmp_path, text))
    assert "can be replaced" in refusal.value.hint


def test_a_file_that_is_not_there_is_only_added(tmp_path: Path) -> None:
    path = "/etc/apt/sources.list.d/cloud-icehouse.list"
    text = f'{{path: {path}, text: "deb http://10.99.0.1:8000/icehouse icehouse main"}}'
    file = written(tmp_path, f"{SMALL}repositories: {{old: {{path: {path}}}, new: {text}}}\n")
    assert [one.path for one in repositories(lab().plan(file), "cmp1")] == [path]

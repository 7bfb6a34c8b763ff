"""scenarios, check, plan, run: a whole scenario through the command line, on fake hosts."""

import json

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.plan import Plan
from tests.cli.site import Site
from tests.fake import state
from tests.fake.fleet import open_fleet

NAME = "service-by-service"


def present(site: Site) -> dict[str, state.HostState]:
    """All that is true of the hosts."""
    return open_fleet(site.directory / "hosts").observable()


def change(site: Site, host: str, **fields: object) -> None:
    """Afterwards the package `less` of a host is another."""
    found = open_fleet(site.directory / "hosts").hosts[host]
    for name, value in fields.items():
        setattr(found.state.packages["less"], name, value)
    found.save()


def test_scenarios_are_listed(site: Site) -> None:
    (site.directory / "scenarios").mkdir()
    shipped = site.json("scenarios")["scenarios"]
    assert [one["name"] for one in shipped] == ["full-upgrade", "release-upgrade", "security-updates", NAME]
    assert all(one["summary"] for one in shipped)
    assert NAME in site.call("scenarios").stdout


def test_a_scenario_in_detail(site: Site) -> None:
    shown = site.call("scenarios", NAME).stdout
    for word in ("stage 1/", "identity", "services:", "outage:", "way back:", "new=icehouse"):
        assert word in shown
    assert site.json("scenarios", NAME)["stages"][0]["name"] == "identity"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["scenarios", "nope"], "there is: full-upgrade, release-upgrade, security-updates, service-by-service"),
        (["plan", "nope"], "there is: full-upgrade, release-upgrade, security-updates, service-by-service"),
        (["check", "nope"], "there is: full-upgrade, release-upgrade, security-updates, service-by-service"),
        (["run", "nope", "--yes"], "there is: full-upgrade, release-upgrade, security-updates, service-by-service"),
        (["plan", "missing.yaml"], "missing.yaml: No such file"),
        (["plan", NAME, "--set", "nonsense=1"], "'nonsense'"),
        (["plan", NAME, "--set", "nonsense"], "not KEY=VALUE"),
        (["plan", NAME, "--serial", "10,1"], "smaller than a batch before it"),
        (["plan", NAME, "--limit", "nobody"], "'nobody'"),
        (["plan", NAME, "--limit", "!*"], "leaves no host"),
        (["plan", NAME, "--limit", "@nope"], "compute"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_message(havana: Site, argv: list[str], said: str) -> None:
    result = havana.call(*argv)
    assert result.exit_code == 10, result.output
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_local_scenario_that_is_wrong_names_its_place(havana: Site) -> None:
    (havana.directory / "scenarios").mkdir()
    (havana.directory / "scenarios" / "mine.yaml").write_text("summary: x\nstages: 3\n")
    result = havana.call("plan", "mine")
    assert result.exit_code == 10
    assert "scenarios/mine.yaml, line " in result.stderr


def test_plan_changes_nothing_and_can_be_saved(havana: Site) -> None:
    before = present(havana)
    result = havana.call("plan", NAME, "--out", "plan.json")
    assert (result.exit_code, result.stdout.split(":")[0]) == (0, "Plan")
    assert present(havana) == before
    plan = codec.loads((havana.directory / "plan.json").read_text(), Plan)
    assert plan.hosts[0] == "ctl1"
    assert not (havana.directory / ".state").exists()


def test_plan_tells_scripts_that_there_is_something_to_do(havana: Site) -> None:
    assert havana.call("plan", NAME, "--detailed-exitcode").exit_code == 100
    assert havana.call("run", NAME, "--yes").exit_code == 0
    result = havana.call("plan", NAME, "--detailed-exitcode")
    assert (result.exit_code, "nothing to do" in result.stdout) == (0, True)


def test_plan_as_json(havana: Site) -> None:
    found = havana.json("plan", NAME, "--limit", "@compute")
    assert found["origin"] == NAME
    assert "ctl1" not in json.dumps(found["waves"])


def test_diff_shows_every_package(havana: Site) -> None:
    short, full = (havana.call("plan", NAME, *more).stdout for more in ([], ["--diff"]))
    assert len(full.splitlines()) > len(short.splitlines())


def test_a_plan_that_cannot_be_saved(havana: Site) -> None:
    assert havana.call("plan", NAME, "--out", "no/where.json").exit_code == 10


def test_a_scenario_goes_forward_whole(havana: Site) -> None:
    result = havana.call("run", NAME, "--yes", "--comment", "to icehouse")
    assert result.exit_code == 0, result.output
    found = havana.json("status")
    assert (found["status"], found["comment"]) == ("succeeded", "to icehouse")
    assert {one["host"] for one in found["hosts"]} == {"ctl1", "net1", "cmp1", "cmp2"}
    packages = open_fleet(havana.directory / "hosts").hosts["cmp1"].state.packages
    assert packages["nova-compute"].version == "1:2014.1-0ubuntu1~cloud0"


def test_the_snapshot_before_it_knows_the_databases_that_it_dumps(havana: Site) -> None:
    assert havana.call("run", NAME, "--yes").exit_code == 0
    journal = havana.journal()
    ((_, _, _, document),) = journal.snapshot_rows()
    journal.close()
    facts = {one.host: one for one in codec.loads(document, tuple[HostFacts, ...])}
    assert [one.name for one in facts["ctl1"].databases] == ["cinder", "glance", "keystone", "nova", "quantum"]
    assert facts["cmp1"].databases == ()


def test_a_saved_plan_is_what_is_executed(havana: Site) -> None:
    havana.call("plan", NAME, "--serial", "1", "--out", "plan.json")
    assert havana.call("run", "plan.json", "--yes").exit_code == 0
    journal = havana.journal()
    done = journal.run("last").plan
    journal.close()
    assert done == codec.loads((havana.directory / "plan.json").read_text(), Plan)


def test_a_saved_plan_is_not_judged_by_settings_that_it_was_not_made_with(havana: Site) -> None:
    (havana.directory / "hosts" / "net1.host").unlink()
    assert havana.call("plan", NAME, "--out", "plan.json").exit_code == 24  # nobody is in group network
    assert havana.call("plan", NAME, "--set", "group_network=", "--out", "plan.json").exit_code == 0
    result = havana.call("run", "plan.json", "--yes")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("more", [["--serial", "1"], ["--limit", "cmp1"], ["--set", "new=x"]], ids=" ".join)
def test_a_saved_plan_takes_no_intent_beside_it(havana: Site, more: list[str]) -> None:
    havana.call("plan", NAME, "--out", "plan.json")
    result = havana.call("run", "plan.json", "--yes", *more)
    assert result.exit_code == 2
    assert "verbatim" in result.stderr


def test_a_saved_plan_after_a_host_has_changed(havana: Site) -> None:
    havana.call("plan", NAME, "--out", "plan.json")
    change(havana, "cmp2", version="9.9")
    before = present(havana)
    result = havana.call("run", "plan.json", "--yes")
    assert result.exit_code == 13
    assert "on: cmp2" in result.stderr
    assert present(havana) == before
    assert havana.json("history")["runs"] == []


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_what_blocks_is_told_before_anything_is_touched(havana: Site, verb: str) -> None:
    change(havana, "cmp1", state="half-installed", broken=True)
    before = present(havana)
    result = havana.call(verb, NAME, *(["--yes", "--force"] if verb == "run" else []))
    assert result.exit_code == 24, result.output
    assert "blocking: cmp1:" in result.output
    assert "[package-broken]" in result.output
    assert present(havana) == before
    assert havana.json("history")["runs"] == []


def test_findings_as_json(havana: Site) -> None:
    change(havana, "cmp1", state="half-installed", broken=True)
    found = havana.json("check", NAME, code=24)
    assert found["blocking"] == len([one for one in found["findings"] if one["severity"] == "blocking"]) > 0
    assert {"key", "host", "severity", "text", "remedy"} <= set(found["findings"][0])


@pytest.mark.parametrize("argv", [["check", NAME], ["plan", NAME], ["run", NAME, "--yes"]], ids=" ".join)
def test_a_host_that_is_not_reached(havana: Site, argv: list[str]) -> None:
    havana.gone("net1")
    before = present(havana)
    result = havana.call(*argv)
    assert result.exit_code == 30
    assert "not reached: net1" in result.stderr
    assert present(havana) == before


def test_a_run_that_fails_in_the_midst_and_is_unwound(havana: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from nornir_upgrade.core.errors import GateFailed
    from nornir_upgrade.steps.gates import HttpStatus

    def refuse(self: HttpStatus, host: object, store: object) -> None:
        if "18003" in self.url:
            raise GateFailed("no answer")

    before = present(havana)
    monkeypatch.setattr(HttpStatus, "apply", refuse)
    result = havana.call("run", NAME, "--yes", "--on-failure", "unwind")
    assert result.exit_code == 4, result.output
    assert present(havana) == before


def test_unwinding_names_the_databases_that_are_restored(havana: Site) -> None:
    assert havana.call("run", NAME, "--yes", "--stop-after", "2").exit_code == 3
    before = havana.call("unwind", "--yes")
    assert before.exit_code == 0
    assert "restored from its dumps: keystone on ctl1" in before.stderr


def test_a_run_can_be_prepared_and_gone_on_with_later(havana: Site) -> None:
    services = {name: made.services for name, made in present(havana).items()}
    assert havana.call("run", NAME, "--yes", "--stop-after", "1").exit_code == 3
    assert {name: made.services for name, made in present(havana).items()} == services
    first, second, *_ = havana.json("status")["waves"]
    assert (first["name"], first["state"], first["done"], first["steps"]) == ("prepare", "done", 4, 4)
    assert (second["name"], second["state"]) == ("identity", "waiting")
    havana.call("report", "--out", "page.html")
    page = (havana.directory / "page.html").read_text()
    assert "download 26 packages" in page and "database keystone can be dumped" in page
    assert havana.call("resume", "--yes").exit_code == 0


def test_a_scenario_that_is_wrong_costs_itself_alone(site: Site) -> None:
    directory = site.directory / "scenarios"
    directory.mkdir()
    (directory / "wrong.yaml").write_text("format: 1\nnonsense: true\n")
    result = site.call("scenarios")
    assert result.exit_code == 10 and NAME in result.stdout
    assert "left out: scenarios/wrong.yaml" in result.stderr
    told = site.json("scenarios", code=10)
    assert NAME in [one["name"] for one in told["scenarios"]] and list(told["wrong"]) == ["wrong"]

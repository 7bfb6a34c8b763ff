"""The command line, over fake hosts: what it prints, what it keeps, and how it ends."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.facts.compare import AREAS
from nornir_upgrade.report.html import render
from nornir_upgrade.report.summary import recap
from nornir_upgrade.report.summary_text import recap_in_text
from nornir_upgrade.runner import execute
from nornir_upgrade.steps.gates import ServicesKept
from nornir_upgrade.steps.packages import SetPackages
from rollback import apply, assess
from rollback.plan import gates
from rollback.snapshot import keep
from tests.fake import way_back
from tests.fake.faults import raises_on
from tests.fake.state import Service
from tests.rollback.conftest import Site


def test_apply_brings_the_fleet_back_and_says_equal_for_each_area_and_host(site: Site) -> None:
    site.go_forward()
    result = site.call("apply", "--restore-db", "--yes")
    table = result.stdout.splitlines()
    assert table[0].split() == ["cmp1", "ctl1"]
    assert [line.split()[0] for line in table[1:]] == list(AREAS)
    assert table[1 + AREAS.index("databases")].split() == ["databases", "not", "compared", "equal", "(2)"]
    compared = [line for line in table[1:] if not line.startswith("databases")]
    assert all(re.fullmatch(r"\S+ +(equal \([0-9,]+\) *){2}", line) for line in compared)
    assert "equal (0)" not in table[1 + AREAS.index("etc")]
    assert site.present == site.start


def test_apply_tells_every_removal_and_every_caution_before_it_asks(site: Site) -> None:
    site.go_forward()
    result = site.call("apply", "--restore-db", "--yes")
    told = result.stderr
    for removed in ("neutron-server", "python-neutron", "python-neutronclient", "python-oslo.messaging"):
        assert f"purge {removed} " in told
    assert "Caution: ctl1: data written to database nova since" in told
    assert told.index("Caution") < told.index("stop services", told.index("Caution"))


def test_apply_closes_the_runs_that_were_open(site: Site) -> None:
    site.shown.hosts["cmp1"].faults.hook = raises_on("job", lambda: RuntimeError("lost"))
    assert not site.go_forward().succeeded
    failed = site.journal.run("last")
    assert failed.status == "open"
    result = site.call("apply", "--restore-db", "--yes", "-o", "json")
    document, told = json.loads(result.stdout), result.stderr
    caution = f"Caution: run {failed.id} (forward to icehouse) is open, and will be taken back too"
    assert told.index(caution) < told.index("wave")
    assert site.journal.run(failed.id).status == "undone"
    last = site.journal.run("last")
    assert (last.id, last.parent, last.plan.direction, last.status) == (
        document["run"],
        failed.id,
        "rollback",
        "succeeded",
    )
    assert document["equal"] and document["differences"] == []


def test_applied_twice_there_is_nothing_to_do_the_second_time(site: Site) -> None:
    site.go_forward()
    site.call("apply", "--restore-db", "--yes")
    runs = len(site.journal.runs())
    assert "Nothing to do" in site.call("apply", "--restore-db", "--yes").stdout
    assert len(site.journal.runs()) == runs


def test_no_database_is_restored_while_a_host_that_shares_it_may_still_write(site: Site) -> None:
    site.go_forward()
    migrated = site.fleet.hosts["ctl1"].state.databases["nova"]
    there = site.present["ctl1"]
    site.fleet.hosts["cmp1"].faults.hook = raises_on("systemctl stop", lambda: CommandFailed("cmp1", "stop", 1, ""))
    result = site.call("apply", "--restore-db", "--yes", code=5)
    assert "held-back: ctl1: not gone on with, for it shares data with cmp1, which failed" in result.stdout
    assert "nornir-upgrade resume" in result.stderr
    stopped = site.present["ctl1"]
    assert site.fleet.hosts["ctl1"].state.databases["nova"] == migrated
    assert (stopped.packages, stopped.files) == (there.packages, there.files)
    assert not any(service.active for service in stopped.services.values())
    assert site.execute(site.journal.run("last"), max_fail=0).succeeded
    assert site.present == site.start


def test_a_host_of_another_cloud_goes_back_though_one_cannot_be_stopped(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.go_forward()
    monkeypatch.setattr(type(site.shown), "clouds", {"ctl1": "one", "cmp1": "two"})
    site.fleet.hosts["cmp1"].faults.hook = raises_on("systemctl stop", lambda: CommandFailed("cmp1", "stop", 1, ""))
    result = site.call("apply", "--restore-db", "--yes", code=5)
    assert "held-back" not in result.stdout
    assert site.present["ctl1"] == site.start["ctl1"] and site.present["cmp1"] != site.start["cmp1"]


def test_where_no_database_is_restored_the_others_go_back_though_one_cannot_be_stopped(site: Site) -> None:
    site.go_forward()
    site.fleet.hosts["ctl1"].faults.hook = raises_on("systemctl stop", lambda: CommandFailed("ctl1", "stop", 1, ""))
    assert "held-back" not in site.call("apply", "--yes", code=5).stdout
    assert site.present["cmp1"] == site.start["cmp1"]


def test_without_restore_db_old_services_refuse_the_new_schema_and_the_ways_on_are_told(site: Site) -> None:
    site.go_forward()
    result = site.call("apply", "--yes", code=5)
    assert "ctl1: database nova was migrated, and stays so without --restore-db" in result.stderr
    assert "nornir-upgrade resume" in result.stderr
    cut = site.journal.run("last")
    assert cut.status == "open"
    site.call("apply", "--restore-db", "--yes")
    assert site.present == site.start
    assert site.journal.run(cut.id).status == "undone"


def test_a_difference_that_stays_is_told_and_ends_with_5(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.go_forward()
    site.call("apply", "--yes", code=5)
    cut = site.journal.run("last")

    def meddle(*argv: Any) -> Any:
        *rest, judge = argv

        def meddled() -> Any:
            site.fleet.hosts["cmp1"].state.packages["less"].selection = "hold"
            return judge()

        return execute.carry_out(*rest, meddled)

    monkeypatch.setattr(apply, "carry_out", meddle)
    result = site.call("apply", "--restore-db", "--yes", "-o", "json", code=5)
    document = json.loads(result.stdout)
    assert "run ended: differs" in result.stderr and "run ended: succeeded" not in result.stderr
    assert [(d["host"], d["area"], d["name"]) for d in document["differences"]] == [("cmp1", "holds", "less:amd64")]
    assert site.journal.run(cut.id).status == "open"

    # What was found is kept: whoever asks later hears the same, and what to do.
    kept = recap(site.journal.run("last"), Path("config.yaml"))
    assert kept.status == kept.ending == "differs" and "1 differ" in kept.verdict and "less" in kept.verdict
    assert f"rollback apply --snapshot {kept.origin}" in kept.remedy
    assert kept.verdict in recap_in_text(kept) and kept.remedy in recap_in_text(kept)
    assert f"(rollback to snapshot {kept.origin})" in recap_in_text(kept)
    page = render(site.journal.run("last"), Path("config.yaml"))
    assert "1 differ" in page and "state differs" in page
    monkeypatch.undo()


def test_a_service_that_the_way_back_costs_is_told_and_ends_with_5(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages and databases may be as they were, and a service does not answer all the same."""
    plan = way_back.forward(site.fleet)
    site.fleet.hosts["cmp1"].state.services["cron"] = Service(active=True, enabled=True)  # no run touches it
    run = site.journal.open_run(plan)
    keep(site.journal, tuple(site.facts().values()), run=run.id)
    assert site.execute(run).succeeded
    change = SetPackages.apply

    def changed(self: SetPackages, host: Any, store: Any) -> str:
        told = change(self, host, store)
        if host.name == "cmp1":
            host.state.services["cron"].active = False
            host.save()
        return told

    monkeypatch.setattr(SetPackages, "apply", changed)
    monkeypatch.setattr(gates, "ServicesKept", partial(ServicesKept, timeout=0.0))
    result = site.call("apply", "--restore-db", "--yes", code=5)
    assert "cmp1: gate: " in result.stdout and "cron is inactive" in result.stdout
    assert site.journal.run("last").status == "open"


def test_the_verdict_of_a_way_back_that_is_equal_is_kept_too(site: Site) -> None:
    site.go_forward()
    site.call("apply", "--restore-db", "--yes")
    run = site.journal.run("last")
    assert (run.status, run.verdict) == ("succeeded", "all is as it should be")
    assert [event.what for event in run.events][-2:] == ["verdict", "run_ended"]
    assert run.author and " on " in run.author


def test_nobody_to_ask_is_wrong_usage_and_a_no_changes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.go_forward()
    there = site.present
    site.call("apply", code=2)
    site.call("apply", "--run", "last", "--snapshot", "last", "--yes", code=2)
    assert site.present == there


def test_a_host_that_does_not_answer_ends_with_30_and_nothing_changed(site: Site) -> None:
    site.go_forward()
    site.shown.hosts["cmp1"].faults.unreachable = True
    result = site.call("apply", "--yes", code=30)
    assert "cmp1" in result.stderr and "Traceback" not in result.output
    assert len(site.journal.runs()) == 1


def test_a_limit_takes_one_host_back_and_leaves_the_other(site: Site) -> None:
    site.go_forward()
    there = site.present
    assert "is open" not in site.call("apply", "--limit", "cmp1", "--yes").stderr
    assert site.present == {"cmp1": site.start["cmp1"], "ctl1": there["ctl1"]}
    assert site.journal.runs()[0].status == "succeeded"
    site.call("apply", "--restore-db", "--yes")
    assert site.present == site.start
    assert site.journal.runs()[0].status == "undone"


def test_apply_takes_the_manifests_that_compute_wrote_and_refuses_them_after_drift(site: Site) -> None:
    site.go_forward()
    site.call("compute", "--out", "manifests")
    site.shown.hosts["cmp1"].state.packages["curl"].version = "9"
    result = site.call("apply", "--manifest", "manifests", "--yes", code=13)
    assert "cmp1" in result.stderr and "curl" in result.stderr
    site.shown.hosts["cmp1"].state.packages["curl"].version = "7.88.1-10+deb12u12"
    site.call("apply", "--manifest", "manifests", "--restore-db", "--yes")
    assert site.present == site.start


def test_compute_prints_words_a_command_or_json_and_changes_nothing(site: Site) -> None:
    site.go_forward()
    there = site.present
    text = site.call("compute", "--limit", "cmp1").stdout.splitlines()
    assert "nova-compute=1:2013.2-0ubuntu1~cloud0" in text and "python-oslo.messaging-" in text
    assert text == sorted(text)
    (command,) = site.call("compute", "--limit", "cmp1", "-o", "apt").stdout.splitlines()
    assert command.startswith("apt-get ") and "nova-compute:all=1:2013.2-0ubuntu1~cloud0" in command
    both = site.call("compute").stdout.splitlines()
    assert [line for line in both if line.startswith("#")] == ["# cmp1", "# ctl1"]
    one, other = site.json("compute")["manifests"]
    assert (one["host"], other["host"]) == ("cmp1", "ctl1")
    assert one["to"]["run"] == site.journal.run("last").id
    assert sum(one["counts"].values()) == len(one["changes"])
    assert "nova-compute:all downgrade" in site.call("compute", "--explain", "nova-compute").stdout
    assert site.present == there


def test_compute_names_what_cannot_be_had_and_ends_with_21(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.go_forward()
    monkeypatch.setattr(assess, "old_sources", lambda *_: {})
    result = site.call("compute", code=21)
    assert "nova-compute=1:2013.2-0ubuntu1~cloud0 is in no repository" in result.stderr
    (manifest, _) = json.loads(site.call("compute", "-o", "json", code=21).stdout)["manifests"]
    assert manifest["counts"]["unobtainable"] > 0 and manifest["deviations"][0]["rule"] == "unobtainable"
    there = site.present
    assert "--missing keep" in site.call("apply", "--yes", code=21).stderr
    site.call("apply", "--missing", "fail", "--yes", code=21)
    assert site.present == there


def test_snapshots_are_taken_listed_and_compared(site: Site) -> None:
    assert site.call("snapshots").stdout == "No snapshot yet.\n"
    site.go_forward()
    taken = site.json("snapshot", "--label", "after")
    listed = site.json("snapshots")["snapshots"]
    assert [(one["label"], one["run"] != "") for one in listed] == [("", True), ("after", False)]
    assert listed[1]["snapshot"] == taken["snapshot"] and taken["hosts"] == ["cmp1", "ctl1"]
    same = site.call("diff").stdout
    assert same.endswith("\n\nNo difference.\n") and "differ" not in same.removesuffix("No difference.\n")
    site.call("diff", "last", "--detailed-exitcode")
    result = site.call("diff", "last-1", "last", "--detailed-exitcode", code=100)
    assert "nova-compute:all" in result.stdout
    before = site.json("diff", site.journal.run("last").id)["differences"]
    assert before == site.json("diff", "last-1", "last")["differences"]
    assert {one["area"] for one in before} >= {"packages", "databases", "services", "repositories", "conffiles"}


@pytest.mark.parametrize(
    "argv", [("diff",), ("compute",), ("apply", "--yes"), ("apply", "--snapshot", "x", "--yes"), ("diff", "no-such")]
)
def test_where_there_is_no_snapshot_the_message_says_so(site: Site, argv: Sequence[str]) -> None:
    result = site.call(*argv, code=10)
    assert result.stderr.startswith("rollback: error: ") and "Traceback" not in result.output


def test_a_second_controller_is_refused(site: Site) -> None:
    site.go_forward()
    code = (
        "import sys\nfrom pathlib import Path\nfrom nornir_upgrade.core.journal import owned\n"
        "with owned(Path('journal.db'), 'somebody else'):\n    print('mine', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"mine\n"
        result = site.call("apply", "--yes", code=11)
        assert "somebody else" in result.stderr
        site.call("snapshots")


def test_a_wrong_value_is_told_before_somebody_would_be_asked(site: Site) -> None:
    site.go_forward()
    result = site.call("apply", "--accept-no-way-back", "web9", code=10)
    assert "there is no host 'web9'" in result.stderr and "--yes" not in result.stderr
    assert "say --yes" in site.call("apply", code=2).stderr

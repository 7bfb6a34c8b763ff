"""A way back that was cut off or failed: what `nornir-upgrade resume` and `unwind` make of it, and what a later one closes."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nornir_upgrade.cli.main import app
from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.run import Run
from nornir_upgrade.runner import continuation
from rollback import apply as back
from tests.fake.faults import raises_on
from tests.fake.state import Installed
from tests.rollback.conftest import Site


def forward(*argv: str, code: int = 0) -> Result:
    """The other program, on the same hosts."""
    result = CliRunner().invoke(app, argv, prog_name="nornir-upgrade")
    assert result.exit_code == code, result.output
    return result


def cut_off(site: Site, *argv: str, host: str = "cmp1") -> Run:
    """A way back that failed on one host, which is well again afterwards."""
    faults = site.fleet.hosts[host].faults
    faults.hook = raises_on("systemctl stop", lambda: CommandFailed(host, "stop", 1, ""))
    site.call("apply", "--restore-db", "--yes", *argv, code=5)
    faults.hook = None
    found = site.journal.run("last")
    assert found.status == "open"
    return found


def test_a_way_back_that_is_resumed_is_compared_and_closes_what_it_took_back(site: Site) -> None:
    site.go_forward()
    run = cut_off(site)
    result = forward("resume", "--yes")
    assert "equal (" in result.stdout and site.present == site.start
    assert [one.status for one in site.journal.runs()] == ["undone", "succeeded"]
    assert site.journal.run(run.id).verdict == "all is as it should be"


def test_a_difference_after_a_resume_is_told_and_ends_with_5(site: Site) -> None:
    site.go_forward()
    run = cut_off(site)
    site.fleet.hosts["ctl1"].state.packages["less"].selection = "hold"
    result = forward("resume", "--yes", "-o", "json", code=5)
    document = json.loads(result.stdout)
    assert (document["status"], document["equal"], document["exit_code"]) == ("differs", False, 5)
    assert [(one["host"], one["area"], one["name"]) for one in document["differences"]] == [
        ("ctl1", "holds", "less:amd64")
    ]
    found = site.journal.run(run.id)
    assert found.status == "differs" and "less" in found.verdict
    assert site.journal.runs()[0].status == "succeeded"


def test_what_was_announced_is_no_difference_after_a_resume(site: Site) -> None:
    """A resume knows neither the flags of the way back nor the state before it: what was told is kept with the run."""
    site.go_forward()
    site.fleet.hosts["cmp1"].state.packages["less"].selection = "hold"
    run = cut_off(site, "--only", "nova*")
    result = forward("resume", "--yes")
    assert "Not as in the snapshot, as announced:" in result.stdout and "less" in result.stdout
    assert "as announced" in site.journal.run(run.id).verdict


def test_where_nobody_compares_a_resumed_way_back_does_not_count_as_good(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.go_forward()
    run = cut_off(site)
    monkeypatch.setattr(continuation, "entry_points", lambda **_: ())
    result = forward("resume", "--yes", code=5)
    assert "not compared with the snapshot" in result.stdout
    assert f"rollback diff {run.plan.origin}" in result.stdout
    assert site.journal.run(run.id).status == "differs"


@pytest.mark.parametrize("older", [True, False])
def test_a_way_back_without_an_announcement_is_compared_with_the_snapshot(
    site: Site, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    site.go_forward()
    run = cut_off(site)
    site.store.remove(run.announced)
    if older:
        monkeypatch.setattr(Run, "announced", "")
    forward("resume", "--yes")
    assert site.journal.run(run.id).verdict == "all is as it should be"


def test_a_later_way_back_closes_the_one_that_cannot_end_also_when_it_was_resumed(site: Site) -> None:
    site.go_forward()
    dead = cut_off(site)
    later = cut_off(site)
    assert site.journal.run(dead.id).status == "open"
    forward("resume", later.id, "--yes")
    assert [one.status for one in site.journal.runs()] == ["undone", "undone", "succeeded"]


def test_a_broken_package_of_others_that_somebody_purges_does_not_stop_a_way_back(site: Site) -> None:
    site.go_forward()
    packages = site.fleet.hosts["cmp1"].state.packages
    packages["brokenpkg"] = Installed("1.0", state="half-configured")
    cut_off(site)
    del packages["brokenpkg"]
    result = forward("resume", "--yes", "-o", "json", code=5)
    told = {(one["host"], one["name"], one["after"]) for one in json.loads(result.stdout)["differences"]}
    assert told == {("cmp1", "brokenpkg:amd64", "absent")}
    assert site.present == site.start


def test_an_open_way_back_offers_to_begin_it_anew(site: Site) -> None:
    site.go_forward()
    run = cut_off(site)
    told = forward("status").stdout
    assert f"nornir-upgrade resume {run.id}" in told and f"rollback apply --snapshot {run.plan.origin}" in told


def test_pruning_keeps_what_an_open_way_back_was_announced_to_lead_to(site: Site) -> None:
    site.go_forward()
    run = cut_off(site)
    site.call("escrow", "prune", "--yes")
    assert run.announced in site.store


def test_unwind_refuses_an_open_way_back_and_says_what_to_do(site: Site) -> None:
    site.go_forward()
    run = cut_off(site)
    there = site.present
    told = forward("unwind", "--yes", code=10).stderr
    assert "cannot be undone: the packages that it removes are in no escrow" in told
    assert f"nornir-upgrade resume {run.id}" in told and f"rollback apply --snapshot {run.plan.origin}" in told
    assert site.present == there and site.journal.run(run.id).status == "open"


def test_unwind_of_a_run_that_a_way_back_takes_back_says_so_goes_on_with_that_and_compares(site: Site) -> None:
    site.shown.hosts["cmp1"].faults.hook = raises_on("job", lambda: RuntimeError("lost"))
    assert not site.go_forward().succeeded
    failed, back = site.journal.run("last"), cut_off(site, host="ctl1")
    result = forward("unwind", failed.id, "--yes")
    assert f"Run {failed.id} is being undone already, by run {back.id}" in result.stderr
    assert "equal (" in result.stdout and site.present == site.start


def test_a_new_way_back_tells_what_becomes_of_the_open_one(site: Site) -> None:
    site.go_forward()
    run = cut_off(site)
    part = site.call("apply", "--restore-db", "--only", "nova*", "--yes").stderr
    assert f"Caution: run {run.id} (rollback {run.plan.origin}) is open, and stays open: only some packages" in part
    whole = site.call("apply", "--restore-db", "--yes").stderr
    assert f"{run.id} (rollback {run.plan.origin}) is open, and will be closed when all is as it should be" in whole
    assert site.journal.run(run.id).status == "undone"


def test_who_interrupts_the_end_of_a_way_back_is_told_how_to_go_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*argv: Any) -> None:
        execute_run(*argv)
        raise KeyboardInterrupt

    site.go_forward()
    run, execute_run = cut_off(site), back.execute_run
    site.fleet.hosts["cmp1"].faults.hook = raises_on("systemctl stop", lambda: CommandFailed("cmp1", "stop", 1, ""))
    monkeypatch.setattr(back, "execute_run", interrupted)
    told = forward("resume", "--yes", code=130).stderr
    assert f"nornir-upgrade resume {run.id}" in told and "rollback apply --snapshot" in told

"""resume, unwind, status, history, report: what they say, and with which exit code they end."""

import json
import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from nornir_upgrade.core.journal import owned
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.runner import execute
from nornir_upgrade.steps.files import CaptureFiles
from tests.cli.site import Pause, Site
from tests.core.toys import Keep, Note, plan_of


def failing() -> Plan:
    """Two waves; in the second, b fails and c is never reached."""
    return plan_of(
        {"a": [Note("/srv/x", "new")]},
        {"b": [Note("/srv/y", "new"), Note("/srv/z", "refused")]},
        {"c": [Note("/srv/x", "new")]},
    )


def opened(site: Site, plan: Plan, code: int, *more: str) -> str:
    """The id of a run of `plan` that ended with `code`."""
    result = site.call("run", site.write(plan), "--yes", *more)
    assert result.exit_code == code, result.output
    journal = site.journal()
    found = journal.runs()[-1].id
    journal.close()
    return found


def test_a_run_to_the_end(site: Site) -> None:
    run = opened(site, plan_of({"a": [Note("/srv/x", "new")], "b": [Note("/srv/x", "new")]}), 0)
    assert site.notes("a") == site.notes("b") == {"/srv/x": "new"}
    found = site.json("status", run)
    assert (found["status"], found["ending"], found["failures"]) == ("succeeded", "succeeded", [])
    assert [(one["host"], one["changed"]) for one in found["hosts"]] == [("a", 1), ("b", 1)]


def test_a_run_that_failed_names_its_ways_out(site: Site) -> None:
    result = site.call("run", site.write(failing()), "--yes")
    assert result.exit_code == 3
    run = site.json("status")["run"]
    assert f"nornir-upgrade resume {run}\n" in result.stderr
    assert f"nornir-upgrade unwind {run}\n" in result.stderr
    assert "Not reached: c" in result.stdout
    assert "b: /srv/z holds refused: state-differs: b: refused" in result.stdout


def test_another_configuration_stands_in_the_ways_out(site: Site) -> None:
    other = site.config.rename(site.directory / "the other.yaml")
    result = site.call("run", site.write(failing()), "--yes", "-c", other.name)
    assert result.exit_code == 3
    assert "-c 'the other.yaml'" in result.stderr


def test_unwind_brings_back_what_was(site: Site) -> None:
    run = opened(site, failing(), 3)
    result = site.call("unwind", "--yes")
    assert result.exit_code == 0, result.output
    assert f"Run {run} (toy) will be undone on: b, a" in result.stderr
    assert site.notes("a") == site.notes("b") == {}
    found = site.json("status", run)
    assert (found["status"], found["ways"]) == ("undone", {"go_on": "", "go_back": ""})
    assert found["undone_by"] == site.json("status", "last")["run"]
    assert [one["undone"] for one in found["hosts"]] == [1, 2, 0]
    assert f"(unwind run {run})" in site.call("status").stdout and f"  run {run}  " in site.call("history").stdout
    assert site.call("unwind", run, "--yes").exit_code == 0  # there is nothing left to do


def test_resume_goes_on_where_it_failed(site: Site) -> None:
    run = opened(site, failing(), 3, "--on-failure", "halt")
    assert site.call("resume", "--yes").exit_code == 3  # what failed still fails
    assert site.json("status", run)["status"] == "open"
    assert site.json("history")["runs"][-1]["run"] == run  # no second run was made of it


def test_failure_can_be_unwound_at_once(site: Site) -> None:
    result = site.call("run", site.write(failing()), "--yes", "--on-failure", "unwind")
    assert result.exit_code == 4, result.output
    assert site.notes("a") == site.notes("b") == {}
    forward, back = site.json("history")["runs"]
    assert (forward["status"], back["parent"], back["status"]) == ("undone", forward["run"], "succeeded")
    assert "go on with" not in result.stderr


def test_failure_to_undo(site: Site) -> None:
    plan = plan_of({"a": [Note("/srv/x", "new"), Pause(str(site.directory / "begun"), 0.5), Note("/srv/z", "refused")]})
    process = site.start("run", site.write(plan), "--yes", "--on-failure", "unwind")
    site.wait_for("begun")
    site.gone("a")  # the step under way still ends; the undoing finds nobody
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 5, errors
    forward, back = site.json("history")["runs"]
    assert back["status"] == "untouched"
    assert f"nornir-upgrade unwind {forward['run']}" in errors
    site.gone("a", False)
    assert site.call("unwind", "--yes").exit_code == 0
    assert site.notes("a") == {}


def test_a_run_that_is_being_undone_is_not_taken_forward(site: Site) -> None:
    captured = plan_of({"a": [Note("/srv/x", "1")], "b": [Note("/srv/x", "1")]}, {"c": [Note("/srv/z", "refused")]})
    run = opened(site, captured, 3)
    site.gone("b")
    assert site.call("unwind", "--yes").exit_code == 5
    refused = site.call("resume", run, "--yes")
    assert refused.exit_code == 12
    child = site.json("history")["runs"][-1]["run"]
    assert f"nornir-upgrade resume {child}" in refused.stderr
    assert site.json("status", run)["ways"] == {"go_on": f"nornir-upgrade resume {child}", "go_back": ""}
    assert site.call("run", site.write(failing()), "--yes").exit_code == 12
    site.gone("b", False)
    onward = site.call("unwind", run, "--yes")  # goes on with the one that is under way
    assert onward.exit_code == 0 and f"Run {run} is being undone already, by run {child}" in onward.stderr
    assert [one["status"] for one in site.json("history")["runs"]] == ["undone", "succeeded"]
    assert site.notes("b") == {}


def test_an_unreachable_host_in_the_midst_counts_as_unreachable(site: Site) -> None:
    plan = plan_of({"a": [Pause(str(site.directory / "begun"), 0.5)]}, {"b": [Note("/srv/x", "new")]})
    process = site.start("run", site.write(plan), "--yes")
    site.wait_for("begun")
    site.gone("b")
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert [one["unreachable"] for one in site.json("status")["hosts"]] == [0, 1]


def test_stop_after_a_wave_and_resume(site: Site) -> None:
    plan = plan_of({"a": [Note("/srv/x", "new")]}, {"b": [Note("/srv/x", "new")]})
    run = opened(site, plan, 3, "--stop-after", "1")
    assert site.notes("b") == {}
    assert site.call("resume", "--yes").exit_code == 0
    assert site.notes("b") == {"/srv/x": "new"}
    assert site.json("resume", run, "--yes")["status"] == "succeeded"  # nothing is left


def test_a_host_ahead_that_is_gone_is_told_before_more_is_done(site: Site) -> None:
    plan = plan_of({"a": [Note("/srv/x", "new")]}, {"b": [Note("/srv/x", "new")]}, {"c": [Note("/srv/x", "new")]})
    opened(site, plan, 3, "--stop-after", "1")
    site.gone("c")
    refused = site.call("resume", "--yes")
    assert refused.exit_code == 3 and "nothing more was changed: c: no route" in refused.stderr
    assert site.notes("b") == {}
    assert site.call("resume", "--yes", "--max-fail", "2").exit_code == 3
    assert site.notes("b") == {"/srv/x": "new"}
    site.gone("c", False)
    assert site.call("resume", "--yes").exit_code == 0


def test_a_lost_capture_keeps_a_run_from_going_on_until_somebody_consents_by_name(site: Site) -> None:
    site.place("a", "/etc/x", b"old")
    opened(site, plan_of({"a": [CaptureFiles(("/etc/x",), "x")]}, {"b": [Note("/srv/z", "refused")]}), 3)
    for kept in (site.directory / ".state" / "store").glob("??/*"):
        kept.unlink()
    refused = site.call("resume", "--yes")
    assert refused.exit_code == 24 and "a: no way back: configuration /etc/x: " in refused.stderr
    assert "--accept-no-way-back a" in refused.stderr
    assert site.call("resume", "--yes", "--accept-no-way-back", "a").exit_code == 3  # b refuses still
    assert "no way back" not in site.call("resume", "--yes").stderr  # it is on record


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_the_first_signal_lets_the_step_finish(site: Site, number: signal.Signals, code: int) -> None:
    plan = plan_of({"a": [Pause(str(site.directory / "begun"), 1.0), Note("/srv/x", "new")]})
    process = site.start("run", site.write(plan), "--yes")
    site.wait_for("begun")
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    found = site.json("status")
    assert (found["status"], found["ending"], found["failures"]) == ("open", "interrupted", [])
    assert found["waves"][0]["done"] == 1
    assert site.notes("a") == {}
    assert f"nornir-upgrade resume {found['run']}" in errors
    assert "Traceback" not in errors
    assert site.call("resume", "--yes").exit_code == 0


def test_the_second_signal_stops_at_once_and_journals_what_was_interrupted(site: Site) -> None:
    plan = plan_of({"a": [Pause(str(site.directory / "begun"), 60.0)]})
    process = site.start("run", site.write(plan), "--yes")
    site.wait_for("begun")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Stopping" not in (line := process.stderr.readline()):
        assert line, "it ended before"
    assert "no further step is started" in line and "resumed or unwound" in line
    assert "A second Ctrl-C stops at once" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    found = site.json("status")
    assert found["ending"] == "interrupted"
    assert [one["error"].split(":")[0] for one in found["failures"]] == ["interrupted"]
    assert f"nornir-upgrade unwind {found['run']}" in errors


def test_who_interrupts_after_the_last_step_is_told_how_to_go_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C comes when it comes: steps may have ended already, and nobody listens for signals any more."""

    execute_run = execute.execute_run

    def interrupted(*argv: Any) -> None:
        execute_run(*argv)
        raise KeyboardInterrupt

    monkeypatch.setattr(execute, "execute_run", interrupted)
    result = site.call("run", site.write(failing()), "--yes")
    assert result.exit_code == 130
    run = site.json("status")["run"]
    assert f"nornir-upgrade resume {run}\n" in result.stderr and f"nornir-upgrade unwind {run}\n" in result.stderr
    site.gone("b")
    result = site.call("unwind", "--yes")
    assert result.exit_code == 130
    assert f"nornir-upgrade resume {site.json('status')['run']}\n" in result.stderr


def test_killed_run_is_open_and_can_be_undone(site: Site) -> None:
    plan = plan_of({"a": [Note("/srv/x", "new"), Pause(str(site.directory / "begun"), 60.0)]})
    process = site.start("run", site.write(plan), "--yes")
    site.wait_for("begun")
    locked = site.call("run", "plan.json", "--yes")
    assert locked.exit_code == 11
    assert f"process {process.pid}" in locked.stderr
    assert site.json("status")["status"] == "open"  # reading needs no ownership
    assert len(site.json("history")["runs"]) == 1
    process.kill()
    process.communicate(timeout=20)
    assert site.call("unwind", "--yes").exit_code == 0
    assert site.notes("a") == {}


def test_points_of_no_return_stand_in_the_exact_commands(site: Site) -> None:
    plan = plan_of({"a": [Note("/srv/x", "1", no_way_back="it is gone")]}, {"b": [Note("/srv/z", "refused")]})
    assert site.call("run", site.write(plan), "--yes").exit_code == 23
    assert site.json("history")["runs"] == []
    result = site.call("run", "plan.json", "--yes", "--accept-no-way-back", "a")
    assert result.exit_code == 3
    run = site.json("status")["run"]
    assert f"unwind {run} --accept-no-way-back a\n" in result.stderr
    assert f"resume {run}\n" in result.stderr  # it lies behind
    assert site.call("unwind", "--yes").exit_code == 23
    assert site.call("unwind", "--yes", "--accept-no-way-back", "a").exit_code == 0


def test_unwinding_what_ended_well_points_to_rollback(site: Site) -> None:
    run = opened(site, plan_of({"a": [Note("/srv/x", "new")]}), 0)
    result = site.call("unwind", run, "--yes")
    assert result.exit_code == 10
    assert f"rollback apply --run {run}" in result.stderr


@pytest.mark.parametrize("verb", ["resume", "unwind"])
def test_nothing_unfinished(site: Site, verb: str) -> None:
    result = site.call(verb, "--yes")
    assert result.exit_code == 10
    assert "no run is unfinished" in result.stderr


@pytest.mark.parametrize("verb", ["resume", "unwind", "status", "report"])
def test_unknown_run_lists_those_that_exist(site: Site, verb: str) -> None:
    run = opened(site, plan_of({"a": [Note("/srv/x", "new")]}), 0)
    result = site.call(verb, "nope", *(["--yes"] if verb in ("resume", "unwind") else []))
    assert result.exit_code == 10
    assert run in result.stderr
    assert "Traceback" not in result.stderr


def test_the_journal_of_another_controller(site: Site) -> None:
    with owned(site.directory / ".state" / "journal.db", "somebody else's run"):
        process = site.start("resume", "--yes")
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 11
    assert f"process {os.getpid()}" in errors
    assert "somebody else's run" in errors


def test_the_state_directory_is_private(site: Site) -> None:
    (site.directory / ".state").mkdir(mode=0o755)
    opened(site, plan_of({"a": [Note("/srv/x", "new")]}), 0)
    assert (site.directory / ".state").stat().st_mode & 0o777 == 0o700


def test_report_is_one_page_without_secrets_or_markup(site: Site) -> None:
    plan = Plan("forward", "<script>alert(1)</script>", failing().waves)
    run = opened(site, plan, 3, "--comment", "mysql://nova:hunter2@db/nova <b>")
    result = site.call("report", run, "--out", "page.html")
    assert result.exit_code == 0
    page = (site.directory / "page.html").read_text()
    assert "<script" not in page
    assert "hunter2" not in page
    assert "&lt;b&gt;" in page
    assert "state-differs: b: refused" in page
    for foreign in ("src=", "href=", "url(", "@import"):
        assert foreign not in page


def test_report_says_where_it_cannot_be_written(site: Site) -> None:
    opened(site, plan_of({"a": [Note("/srv/x", "new")]}), 0)
    result = site.call("report", "--out", "no/where.html")
    assert result.exit_code == 10
    assert "no/where.html" in result.stderr


def test_piped_output_has_no_escape_codes(site: Site) -> None:
    process = site.start("run", site.write(failing()), "--yes", "-vv")
    output, errors = process.communicate(timeout=30)
    assert "\x1b" not in output + errors
    assert "wave 1/3" in errors
    assert "Not reached" in output


def test_quiet_tells_only_what_is_wrong(site: Site) -> None:
    result = site.call("run", site.write(plan_of({"a": [Note("/srv/x", "new")]})), "--yes", "-q")
    assert (result.exit_code, result.stderr) == (0, "")


def test_json_result_is_one_document(site: Site) -> None:
    result = site.call("run", site.write(failing()), "--yes", "--on-failure", "unwind", "-o", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["exit_code"]) == (4, 4)
    assert document["undoing"]["status"] == "succeeded"


def test_a_reader_that_has_enough(site: Site) -> None:
    for _ in range(3):
        opened(site, plan_of({"a": [Note("/srv/x", "new")]}), 0)
    process = site.start("history")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (141, "")


def test_captures_count_as_looked_at(site: Site) -> None:
    opened(site, plan_of({"a": [Note("/srv/x", "new"), Keep("/srv/x", "x"), Note("/srv/x", "new")]}), 0)
    (host,) = site.json("status")["hosts"]
    assert (host["changed"], host["ok"]) == (1, 2)
    assert "Steps and gates, by how they ended:\nhost  ok  changed" in site.call("status").stdout


def test_gates_that_failed_are_told(site: Site) -> None:
    from tests.core.toys import Exists

    plan = plan_of({"a": [Note("/srv/x", "new")]}, gates={"a": [Exists("/srv/nothing")]})
    result = site.call("run", site.write(plan), "--yes")
    assert result.exit_code == 3
    assert "a: gate: nothing at /srv/nothing" in result.stdout and "gate-failed" not in result.stdout


def test_hosts_of_a_plan_that_the_inventory_lacks(site: Site) -> None:
    plan = Plan("forward", "toy", (Wave("one", (Work("zzz", (Note("/srv/x", "new"),)),)),))
    result = site.call("run", site.write(plan), "--yes")
    assert result.exit_code == 10
    assert "'zzz'" in result.stderr
    assert "a, b, c" in result.stderr


def test_a_run_at_work_is_told_of_with_its_process(site: Site) -> None:
    run = opened(site, failing(), 3)
    with owned(site.directory / ".state" / "journal.db", "nornir-upgrade resume"):
        told, errors = site.start("status").communicate(timeout=60)
    assert f"Run {run} is at work: 'nornir-upgrade resume', process {os.getpid()} on" in told, errors
    assert "go on with" not in told
    assert "go on with" in site.call("status").stdout


def test_after_drift_no_resume_is_offered(site: Site) -> None:
    plan = plan_of({"a": [Note("/srv/x", "new")]}, {"b": [Note("/srv/y", "new")]})
    first, second = plan.waves
    moved = replace(second, work=tuple(replace(one, assumes="0" * 64) for one in second.work))
    site.write(replace(plan, waves=(first, moved)))
    journal = site.journal()
    run = journal.open_run(plan)
    journal.append(run.id, "step_started", before=Note("/srv/x", ""), wave=0, host="a", index=0)
    journal.append(run.id, "step_done", wave=0, host="a", index=0)
    journal.append(run.id, "host_failed", wave=1, host="b", error="drift: b: the packages are not what they were")
    journal.close()
    told = site.json("status")
    assert told["ways"] == {"go_on": "", "go_back": f"nornir-upgrade unwind {run.id}"} and told["drifted"] == ["b"]
    shown = site.call("status").stdout
    assert (
        "no resume: b changed since" in shown and f"unwind {run.id}" in shown and "nornir-upgrade resume" not in shown
    )
    assert "unwind" in site.call("run", "plan.json", "--yes").stderr

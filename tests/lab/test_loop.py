"""The whole loop on a real fleet, through the command lines: forward, broken, back. Judged by means of its own (`picture`)."""

import re
from collections.abc import Iterable

import pytest

from tests.lab.picture import Picture, differences, take
from tests.lab.site import GROUPS, ONE, SCENARIO, Done, Site, assert_equal

pytestmark = pytest.mark.lab

OLD, NEW = "1:2013.2-0ubuntu1~cloud0", "1:2014.1-0ubuntu1~cloud0"
FAULT = "fail-nova-compute"


def versions(now: Picture) -> set[str]:
    """The versions that services answer with."""
    answers = (text for host in now.values() for text in host["answers"].values())
    return {found[1] for text in answers if (found := re.search(r'"version": "([^"]+)"', text))}


def assert_as_before(site: Site, before: Picture, hosts: Iterable[str] = tuple(GROUPS)) -> None:
    """Every host is as it was; and the picture shows what must be, so that an empty one proves nothing."""
    now = take(site.lab, hosts)
    assert differences(before, now) == []
    assert versions(now) == {OLD}
    for areas in now.values():
        assert not [name for name, text in areas["packages"].items() if "config-files" in text]
        assert not [path for path in areas["etc"] if ".dpkg-" in path or "rollback" in path or "icehouse" in path]
        assert not areas["ours"] and not areas["audit"]


def commands_on_and_back(done: Done) -> tuple[list[str], list[str]]:
    """The commands that a run which stopped says to go on and to go back with, without the program's name."""
    on, back = (re.search(rf"^ +go {way} with: +nornir-upgrade (.+)$", done.err, re.M) for way in ("on", "back"))
    assert on and back, done.err
    return on[1].split(), back[1].split()


def test_forward_to_the_end_and_back_with_the_databases(site: Site) -> None:
    before = take(site.lab, GROUPS)
    assert versions(before) == {OLD}
    assert site.upgrade("plan", SCENARIO, "--detailed-exitcode", status=100).out.startswith("Plan: 4 hosts: ")
    site.forward()
    there = take(site.lab, GROUPS)
    assert versions(there) == {NEW}
    assert (
        sum(
            len(areas["answers"]) and "release" in text
            for areas in there.values()
            for text in areas["answers"].values()
        )
        == 12
    )

    again = site.upgrade("plan", SCENARIO, "--detailed-exitcode")
    assert "othing to do" in again.out
    assert "Nothing to do." in site.forward().out

    # What is written after the upgrade is taken out by the way back: it is said before, and a dump holds it.
    site.sql("UPDATE keystone.users SET email = 'written-after-the-upgrade' WHERE name = 'ada'")
    back = site.rollback("apply", "--restore-db", "--yes")
    (caution,) = re.findall(r"Caution: ctl1: .*database keystone .*", back.err)
    assert "kept in the store" in caution
    kept = [path for path in (site.state / "store").rglob("*") if path.is_file()]
    assert any(b"written-after-the-upgrade" in path.read_bytes() for path in kept)

    assert_equal(back.out, len(GROUPS))
    assert_as_before(site, before)
    assert "icehouse" not in site.text("ctl1", "apt-cache", "policy")
    assert "Nothing to do" in site.rollback("apply", "--restore-db", "--yes").out


def test_a_failure_in_the_middle_is_unwound(site: Site) -> None:
    before = take(site.lab, GROUPS)
    site.plant("cmp1", FAULT, "icehouse")
    failed = site.forward("--on-failure", "unwind", status=4)
    assert "postinst of nova-compute" in failed.out
    assert_as_before(site, before)
    assert [run["status"] for run in site.runs()] == ["undone", "succeeded"]
    site.rollback("diff", "last", "--detailed-exitcode")


def test_a_run_that_halted_is_in_the_way_and_goes_on_where_it_stopped(site: Site) -> None:
    before = take(site.lab, GROUPS)
    site.plant("cmp1", FAULT, "icehouse")
    halted = site.forward("--on-failure", "halt", status=3)
    on, back = commands_on_and_back(halted)
    (run,) = site.runs()
    assert on[:2] == ["resume", run["run"]] and back[:2] == ["unwind", run["run"]]
    refused = site.forward(status=12)
    assert (
        run["run"] in refused.err and "nornir-upgrade resume" in refused.err and "nornir-upgrade unwind" in refused.err
    )
    done = site.transactions("ctl1")
    assert site.upgrade(*on, "--yes", status=3).status == 3, "the fault is still there"

    site.mend("cmp1")
    site.upgrade(*on, "--yes")
    assert versions(take(site.lab, GROUPS)) == {NEW}
    assert site.transactions("ctl1") == done, "what was done was done again"
    site.rollback("apply", "--restore-db", "--yes")
    assert_as_before(site, before)


def test_a_run_that_halted_is_undone_by_the_command_it_names(small: Site) -> None:
    before = take(small.lab, ["cmp1"])
    small.plant("cmp1", FAULT, "icehouse")
    _, back = commands_on_and_back(small.forward(*ONE, status=3))
    small.upgrade(*back, "--yes")
    assert_as_before(small, before, ["cmp1"])
    assert "nothing to do, it is undone" in small.upgrade("unwind", "last-1", "--yes").said
    small.mend("cmp1")
    small.forward(*ONE)


def test_a_host_that_failed_forward_is_rolled_back_too(site: Site) -> None:
    before = take(site.lab, GROUPS)
    site.plant("cmp1", FAULT, "icehouse")
    site.forward(status=3)
    assert "half-configured" in site.text("cmp1", "dpkg-query", "-W", "-f", "${db:Status-Status}", "nova-compute")
    back = site.rollback("apply", "--restore-db", "--yes")
    assert_equal(back.out, len(GROUPS))
    assert_as_before(site, before)
    assert [run["status"] for run in site.runs()] == ["undone", "succeeded"]
    site.mend("cmp1")
    site.upgrade("plan", SCENARIO, "--detailed-exitcode", status=100)


def test_a_saved_plan_is_executed_verbatim_or_refused_as_drifted(small: Site) -> None:
    small.upgrade("plan", SCENARIO, *ONE, "--out", "plan.json")
    small.lab.run("cmp1", ["apt-mark", "hold", "nova-common"])
    drifted = take(small.lab, ["cmp1"])
    done = small.transactions("cmp1")
    refused = small.upgrade("run", "plan.json", "--yes", status=13)
    assert "cmp1" in refused.err and "nothing was changed" in refused.err
    assert differences(drifted, take(small.lab, ["cmp1"])) == [] and small.transactions("cmp1") == done
    assert small.runs() == []

    small.lab.run("cmp1", ["apt-mark", "unhold", "nova-common"])
    small.upgrade("run", "plan.json", "--yes")
    assert versions(take(small.lab, ["cmp1"])) == {NEW}
    small.upgrade("run", "plan.json", "--yes", status=13)

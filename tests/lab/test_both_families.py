"""One run over hosts of dpkg and of rpm: forward, broken, back. Judged by means of its own (`picture`)."""

import re

import pytest

from tests.lab.picture import Picture, differences, take
from tests.lab.site import BOTH, RPM_GROUPS, SCENARIO, Site, assert_equal

pytestmark = pytest.mark.lab

OLD = {"1:2013.2-0ubuntu1~cloud0", "2013.2-2.el7"}
NEW = {"1:2014.1-0ubuntu1~cloud0", "2014.1-2.el7"}


def versions(now: Picture) -> set[str]:
    """The versions that services answer with."""
    answers = (text for host in now.values() for text in host["answers"].values())
    return {found[1] for text in answers if (found := re.search(r'"version": "([^"]+)"', text))}


def assert_as_before(site: Site, before: Picture) -> None:
    now = take(site.lab, before)
    assert differences(before, now) == []
    for areas in now.values():
        assert not [path for path in areas["etc"] if re.search(r"[.]dpkg-|[.]rpm(new|save|orig)|icehouse", path)]
        assert not areas["ours"] and not areas["audit"]


def test_seven_hosts_forward_in_one_run_and_back(both: Site) -> None:
    before = take(both.lab, BOTH)
    assert versions(before) == OLD
    planned = both.upgrade("plan", SCENARIO, "--detailed-exitcode", status=100).out
    assert planned.startswith("Plan: 7 hosts: ")
    both.forward()
    assert [run["status"] for run in both.runs()] == ["succeeded"]
    assert versions(take(both.lab, BOTH)) == NEW
    assert "Nothing to do." in both.forward().out

    for host in ("ctl1", "rctl1"):
        both.sql("UPDATE keystone.users SET email = 'written-after-the-upgrade' WHERE name = 'ada'", host)
    back = both.rollback("apply", "--restore-db", "--yes")
    assert_equal(back.out, 7)
    assert_as_before(both, before)
    assert "Nothing to do" in both.rollback("apply", "--restore-db", "--yes").out


# On every run of the tests this is held by two others: `--on-failure unwind` on Debian hosts (test_loop), and the undoing of such a
# run on both families, without the old release (test_way_back_from_escrow).
@pytest.mark.soak
def test_a_failure_on_an_rpm_host_unwinds_both_families(both: Site) -> None:
    before = take(both.lab, BOTH)
    both.plant("rcmp1", "fail-openstack-nova-compute", "icehouse")
    failed = both.forward("--on-failure", "unwind", status=4)
    assert "openstack-nova-compute" in failed.out
    assert_as_before(both, before)
    assert [run["status"] for run in both.runs()] == ["undone", "succeeded"]


@pytest.mark.parametrize("way", ["unwind", "apply"])
def test_rpm_killed_in_a_scriptlet_comes_back(rpm_site: Site, way: str) -> None:
    before = take(rpm_site.lab, RPM_GROUPS)
    rpm_site.plant("rctl1", "kill-openstack-nova-api", "icehouse")
    rpm_site.forward("--set", "group_network=", status=3)  # they have no network node
    left = rpm_site.text("rctl1", "rpm", "-q", "openstack-nova-api").split()
    assert len(left) == 2, "the kill left no two versions behind"
    rpm_site.mend("rctl1")
    if way == "unwind":
        rpm_site.upgrade("unwind", "--yes")
    else:
        rpm_site.rollback("apply", "--restore-db", "--yes")
    assert_as_before(rpm_site, before)

"""The nearest way back on real hosts, through the command line: an old version is gone from its archive, or a part goes back."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from tests.lab.conftest import Lose
from tests.lab.picture import differences, take
from tests.lab.site import GROUPS, NOT_KEPT, ONE, Site
from tests.lab.test_loop import NEW, OLD, assert_as_before

pytestmark = pytest.mark.lab

NOVA = {"nova-common", "nova-compute", "python-nova"}


def packages(site: Site, host: str) -> dict[str, str]:
    """Version and state of every package, in the host's own words."""
    said = site.text(host, "dpkg-query", "-W", "-f", "${Package}:${Architecture}\t${Version} ${db:Status-Status}\n")
    return dict(line.split("\t") for line in said.splitlines())


def announced(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The same, as a manifest says that it will be."""
    found = {}
    for one in manifest["changes"]:
        key = f"{one['target_name']}:{one['arch']}"
        if one["action"] == "remove":
            found |= {key: f"{one['target']} config-files"} if one["target"] else {}
        elif version := one["installed"] if one["action"] in ("keep", "held", "unobtainable") else one["target"]:
            found[key] = f"{version} installed"
    return found


def test_what_is_gone_from_the_archive_stays_with_what_it_needs_and_goes_back_when_it_can(
    small: Site, lose: Lose
) -> None:
    before = take(small.lab, ["cmp1"])
    small.configure(ours=NOT_KEPT)
    small.forward(*ONE)
    there = take(small.lab, ["cmp1"])
    lose("python-nova")
    computed = small.rollback("compute", *ONE, status=21)
    assert f"python-nova={OLD} is in no repository" in computed.err and "nova-common" in computed.err
    why = small.rollback("compute", *ONE, "--explain", "nova-compute", status=21).out
    assert f"python-nova={OLD} is in no repository" in why and "nova-common" in why

    refused = small.rollback("apply", *ONE, "--yes", status=21)
    assert "--missing keep" in refused.err
    small.rollback("apply", *ONE, "--missing", "fail", "--yes", status=21)
    assert differences(there, take(small.lab, ["cmp1"])) == [] and len(small.runs()) == 1

    (manifest,) = small.rollback("compute", *ONE, "--missing", "keep", "-o", "json").document["manifests"]
    back = small.rollback("apply", *ONE, "--missing", "keep", "--yes")
    assert "Not as in the snapshot, as announced:" in back.out and "Differs:" not in back.out
    assert packages(small, "cmp1") == announced(manifest)
    now = take(small.lab, ["cmp1"])["cmp1"]
    deviating = {name for name, text in now["packages"].items() if text != before["cmp1"]["packages"].get(name)}
    assert NOVA <= deviating <= NOVA | {"python-oslo.messaging"} and not now["audit"]
    assert "nova-compute.service" in now["active"] and NEW in str(now["answers"]["18003"])
    assert now["contents"]["/etc/nova/release.conf"] == there["cmp1"]["contents"]["/etc/nova/release.conf"]
    assert "Nothing to do" in small.rollback("apply", *ONE, "--missing", "keep", "--yes").out

    lose("")
    small.text("cmp1", "apt-get", "-qq", "update")
    assert "differ" not in small.rollback("apply", *ONE, "--yes").out
    assert_as_before(small, before, ["cmp1"])


def test_what_is_gone_from_the_archive_is_removed_where_that_was_asked_for(small: Site, lose: Lose) -> None:
    before = take(small.lab, ["cmp1"])
    small.configure(ours=NOT_KEPT)
    small.forward(*ONE)
    lose("python-nova")
    (manifest,) = small.rollback("compute", *ONE, "--missing", "remove", "-o", "json").document["manifests"]
    small.rollback("apply", *ONE, "--missing", "remove", "--yes")
    end = announced(manifest)
    found = packages(small, "cmp1")
    forgotten = {name for name, text in end.items() if "config-files" in text} - found.keys()
    assert found == {name: text for name, text in end.items() if name not in forgotten}
    assert not [text for name, text in found.items() if "nova" in name and "client" not in name and "installed" in text]
    assert not take(small.lab, ["cmp1"])["cmp1"]["audit"]

    lose("")
    small.text("cmp1", "apt-get", "-qq", "update")
    small.rollback("apply", *ONE, "--yes")
    assert_as_before(small, before, ["cmp1"])


def test_a_part_goes_back_alone_and_the_rest_later_but_for_what_is_gone(site: Site, lose: Lose) -> None:
    before = take(site.lab, GROUPS)
    site.configure(ours=NOT_KEPT)
    site.forward()
    there = {host: packages(site, host) for host in GROUPS}
    back = site.rollback("apply", "--only", "nova*", "--restore-db", "--yes")
    assert "ctl1: python-nova comes along: " in back.err and "Differs:" not in back.out
    assert "database keystone was migrated, and stays so" in back.err
    for host in GROUPS:
        now = packages(site, host)
        moved = {name.partition(":")[0] for name, text in now.items() if there[host].get(name) != text}
        assert there[host].keys() == now.keys()
        assert moved <= {"nova-api", "nova-conductor", "nova-scheduler", *NOVA}
        assert all(f"{OLD} installed" == now[f"{name}:all"] for name in moved)
    answers = take(site.lab, ["ctl1"])["ctl1"]["answers"]
    assert OLD in answers["8774"] and OLD in answers["18001"] and NEW in answers["5000"] and NEW in answers["9696"]
    assert "Nothing to do" in site.rollback("apply", "--only", "nova*", "--restore-db", "--yes").out

    to_havana = ("compute", "--release", "havana", "--rename", "neutron=quantum", "--limit", "ctl1")
    released = site.rollback(*to_havana, status=21)
    assert "python-oslo.messaging from havana" in released.err
    assert {f"keystone={OLD}", f"quantum-server={OLD}"} <= set(released.out.splitlines())
    (command,) = site.rollback(*to_havana, "-o", "apt", status=21).out.splitlines()
    simulated = site.text("ctl1", *shlex.split(command.replace("apt-get ", "apt-get -s ", 1)))
    assert re.search(rf"^Inst keystone .*\({re.escape(OLD)} ", simulated, re.M), simulated

    lose("python-glanceclient")
    site.text("ctl1", "apt-get", "-qq", "update")
    assert "python-glanceclient=" not in site.rollback("compute", "--missing", "keep").out
    site.rollback("apply", "--restore-db", "--yes", status=21)
    site.rollback("apply", "--restore-db", "--missing", "keep", "--yes")
    left = differences(before, take(site.lab, GROUPS))
    assert left and all(line.startswith("ctl1: packages: python-glanceclient: ") for line in left)

    lose("")
    site.text("ctl1", "apt-get", "-qq", "update")
    assert "differ" not in site.rollback("apply", "--restore-db", "--yes").out
    assert_as_before(site, before)

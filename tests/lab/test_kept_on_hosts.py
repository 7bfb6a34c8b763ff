"""Hosts that keep what their own way back needs go back out of it, though the archive and the controller have lost it."""

from pathlib import Path
from typing import Any

import pytest

from nornir_upgrade.core.escrow.host_copies import DIRECTORY
from tests.lab.picture import differences, take
from tests.lab.site import ONE, SCENARIO, Site
from tests.lab.test_way_back_from_escrow import deleted

pytestmark = pytest.mark.lab


def kept(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.rollback("escrow", "list", "-o", "json").document["packages"]
    return found


def object_of(site: Site, digest: str) -> Path:
    return site.state / "store" / digest[:2] / digest


def standing(site: Site, host: str) -> set[str]:
    return set(site.text(host, "ls", "-A", DIRECTORY).split())


def assert_as_before(site: Site, host: str, before: Any) -> None:
    """All is as it was, but for what the host goes on to keep."""
    now = take(site.lab, [host])
    assert all(line.startswith(DIRECTORY) for line in now[host]["ours"])
    now[host]["ours"] = before[host]["ours"]
    assert differences(before, now) == []


def test_a_host_goes_back_out_of_what_it_keeps_alone(rpm_small: Site) -> None:
    rpm_small.configure(ours={"keep": "host"})
    before, only = take(rpm_small.lab, ["rcmp1"]), ("--limit", "rcmp1")
    rpm_small.forward(*only, "--set", "group_network=")
    found = kept(rpm_small)
    assert len(found) > 2 and all((one["controller"], one["hosts"]) == (False, ["rcmp1"]) for one in found)
    assert not any(object_of(rpm_small, one["digest"]).exists() for one in found)
    assert standing(rpm_small, "rcmp1") == {one["digest"] for one in found}
    assert rpm_small.text("rcmp1", "stat", "-c", "%a %U", DIRECTORY) == "700 root\n"
    assert f"{len(found)} copies on hosts: all whole" in rpm_small.rollback("escrow", "verify").out
    with deleted(rpm_small):
        (computed,) = rpm_small.rollback("compute", *only, "-o", "json").document["manifests"]
        came = [one for one in computed["changes"] if one["action"] in ("downgrade", "install")]
        assert came and all(one["from_escrow"] for one in came)
        rpm_small.rollback("apply", "--yes", *only)
    assert_as_before(rpm_small, "rcmp1", before)


def test_a_flipped_bit_on_a_host_is_found_and_the_controller_helps_out(small: Site) -> None:
    small.configure(ours={"keep": "both"})
    before = take(small.lab, ["cmp1"])
    small.forward(*ONE)
    found = {one["file"]["name"]: one["digest"] for one in kept(small)}
    spoilt = found["nova-common"]
    flip = f'cd {DIRECTORY} && b=$(tail -c +201 {spoilt} | head -c 1 | od -An -tu1) && printf "\\\\$(printf %o $((b ^ 4)))"'
    small.lab.run("cmp1", ["sh", "-c", f"{flip} | dd of={spoilt} bs=1 seek=200 conv=notrunc 2>/dev/null"])
    verified = small.rollback("escrow", "verify", status=22)
    assert f"cmp1: nova-common:all 1:2013.2-0ubuntu1~cloud0: copy {spoilt} is damaged or lost" in verified.out
    for digest in found.values():
        if digest != spoilt:
            object_of(small, digest).unlink()
    with deleted(small):
        small.rollback("apply", "--yes", *ONE)
    assert_as_before(small, "cmp1", before)
    small.upgrade("check", SCENARIO, *ONE)


@pytest.mark.soak
def test_what_is_damaged_on_one_host_comes_from_another_and_where_there_is_none_it_is_said(site: Site) -> None:
    site.configure(ours={"keep": "host"})
    computes = ("cmp1", "cmp2")
    before, only = take(site.lab, computes), ("--limit", ",".join(computes))
    site.forward(*only, "--stop-after", "1", status=3)
    site.upgrade("resume", "--yes")
    shared = [one["digest"] for one in kept(site) if one["hosts"] == list(computes)]
    assert len(shared) > 1
    first, second = (f"{DIRECTORY}/{digest}" for digest in shared[:2])
    spoil = 'for file; do cp "$file" /root/aside; printf x | dd of="$file" bs=1 seek=99 conv=notrunc 2>/dev/null; done'
    site.lab.run("cmp1", ["sh", "-c", spoil, "sh", first, second])
    site.lab.run("cmp2", ["sh", "-c", spoil, "sh", second])
    assert len(site.rollback("escrow", "verify", "-o", "json", status=22).document["faults"]) == 3
    with deleted(site):
        site.rollback("apply", "--yes", *only, status=21)
        site.lab.run("cmp2", ["mv", "/root/aside", second])
        site.rollback("compute", "--limit", "cmp1", status=21)  # cmp2 may not be asked
        site.rollback("apply", "--yes", *only)
        site.lab.run("cmp1", ["rm", "/root/aside"])
    for host in computes:
        assert_as_before(site, host, {host: before[host]})
    assert "all whole" in site.rollback("escrow", "verify").out


@pytest.mark.soak
def test_no_room_on_a_host_ends_it_or_is_told_where_the_controller_keeps_all(small: Site) -> None:
    nova, place = ("escrow", "fetch", "nova-*", *ONE), "/var/lib/nornir-upgrade"
    cache = "apt-get -qq install --reinstall -d nova-compute nova-common"
    small.lab.run("cmp1", ["sh", "-c", f"{cache}; mkdir -p {place} && mount -t tmpfs -o size=12m tmpfs {place}"])
    try:
        small.configure(ours={"keep": "host"})
        assert "cmp1: No space left on device" in small.rollback(*nova, status=3).err
        assert standing(small, "cmp1") == set() and kept(small) == []
        small.configure(ours={"keep": "both"})
        assert "No copies on cmp1: cmp1: No space left" in small.rollback(*nova).out
        assert [one["hosts"] for one in kept(small)] == [[], []]
    finally:
        small.lab.run("cmp1", ["umount", place])
    small.configure(ours={"keep": "both"})
    small.rollback(*nova)
    assert [one["hosts"] for one in kept(small)] == [["cmp1"]] * 2 and len(standing(small, "cmp1")) == 2

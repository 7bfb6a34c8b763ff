"""The old release is gone from the archive, and seven hosts go back to it all the same: out of escrow. Judged by `picture`."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from nornir_upgrade.lab.rpm.archive import spec
from nornir_upgrade.lab.rpm.releases import HAVANA_RPM
from tests.conftest import Say
from tests.lab.picture import differences, take
from tests.lab.site import BOTH, ONE, SCENARIO, Site
from tests.lab.test_both_families import NEW, OLD, assert_as_before, versions

pytestmark = pytest.mark.lab

RELEASES = ("havana", "rpm/havana")
EMPTY = "apt-get clean 2>/dev/null; find /var/cache/dnf /var/cache/apt/archives -type f -delete 2>/dev/null"
# Versions that were only ever built on the hosts themselves.
LOCAL = """\
set -e
cd /root && apt-get -qq download nova-compute && dpkg-deb -R nova-compute_*.deb local && rm nova-compute_*.deb
sed -i 's/^Version: .*/&+local1/' local/DEBIAN/control && dpkg-deb -b local local.deb && dpkg -i local.deb && rm -r local*
"""
RPM = HAVANA_RPM.package("openstack-nova-compute")
LOCAL_RPM = f"""\
set -e
cd /root && mkdir -p stage/{RPM.name} && cat > local.spec
rpm -ql {RPM.name} | tar --no-recursion -cf - -T - 2>/dev/null | tar -xf - -C stage/{RPM.name}
rpmbuild --quiet -bb --define '_rpmdir /root' --define 'stage /root/stage' local.spec
rpm -U noarch/{RPM.name}-*.rpm && rm -r stage noarch local.spec
"""


@contextmanager
def mounted(directory: Path, size: str) -> Iterator[None]:
    """Within the block `directory` is a disk of its own, of that size."""
    directory.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def fill(directory: Path, leave: int) -> Path:
    """Afterwards `directory` has no more than `leave` bytes free, for the sake of the file that is returned."""
    filler = directory / "filler"
    free = os.statvfs(directory)
    with filler.open("wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - leave)))
    return filler


@contextmanager
def deleted(site: Site) -> Iterator[None]:
    """Within the block the archive has nothing of the old release."""
    places = (site.lab.repositories / name for name in RELEASES)
    gone = {path: path.with_name("havana.gone") for path in places if path.is_dir()}
    for path, aside in gone.items():
        path.rename(aside)
    try:
        yield
    finally:
        for path, aside in gone.items():
            aside.rename(path)


@pytest.mark.parametrize(
    "case",
    [
        "deleted",
        pytest.param("caches emptied", marks=pytest.mark.soak),
        pytest.param("never in a repository", marks=pytest.mark.soak),
    ],
)
def test_seven_hosts_go_back_though_the_old_release_is_deleted(both: Site, say: Say, case: str) -> None:
    local = case == "never in a repository"
    if local:
        both.lab.run("cmp1", ["sh", "-c", LOCAL])
        both.lab.run("rcmp1", ["sh", "-c", LOCAL_RPM], spec(replace(RPM, evr=f"{RPM.evr}.local1"), HAVANA_RPM).encode())
    before = take(both.lab, BOTH)
    assert versions(before) == OLD
    both.forward()
    assert versions(take(both.lab, BOTH)) == NEW
    kept = both.rollback("escrow", "list", "-o", "json").document["packages"]
    rebuilt = {one["file"]["name"]: one["file"]["version"][-7:] for one in kept if one["source"] == "rebuilt"}
    assert rebuilt == ({"nova-compute": "+local1", RPM.name: ".local1"} if local else {})
    if case == "caches emptied":
        for host in BOTH:
            both.lab.run(host, ["sh", "-c", EMPTY], check=False)
    with deleted(both):
        computed = both.rollback("compute", "-o", "json").document["manifests"]
        fetched = [one for host in computed for one in host["changes"] if one["action"] in ("downgrade", "install")]
        assert len(computed) == 7 and fetched and all(one["from_escrow"] for one in fetched)
        both.rollback("apply", "--restore-db", "--yes")
        assert_as_before(both, before)
    say(f"escrow: {len(kept)} package files, {sum(one['size'] for one in kept)} bytes for {len(BOTH)} hosts")


def test_a_failed_run_is_undone_though_the_old_release_is_deleted(both: Site) -> None:
    before = take(both.lab, BOTH)
    both.plant("rcmp1", "fail-openstack-nova-compute", "icehouse")
    both.forward(status=3)
    both.mend("rcmp1")
    with deleted(both):
        both.upgrade("unwind", "--yes")
        assert_as_before(both, before)


def test_a_run_whose_escrow_was_damaged_goes_on_only_once_it_is_mended_or_with_consent(small: Site) -> None:
    small.plant("cmp1", "fail-nova-compute", "icehouse")
    small.forward(*ONE, status=3)
    small.mend("cmp1")
    packages = small.rollback("escrow", "list", "-o", "json").document["packages"]
    (digest,) = (one["digest"] for one in packages if one["file"]["name"] == "nova-compute")
    (small.state / "store" / digest[:2] / digest).write_bytes(b"rotten")
    small.lab.run("cmp1", ["apt-get", "clean"])
    done = small.transactions("cmp1")
    with deleted(small):
        refused = small.upgrade("resume", "--yes", status=24)
    assert re.search(r"cmp1: no way back: nova-compute:all 1:2013.2.*\n.*--accept-no-way-back cmp1", refused.err)
    assert small.transactions("cmp1") == done
    assert "Kept 1 package files" in small.upgrade("resume", "--yes").err
    small.rollback("escrow", "verify")


# ---------------------------------------------------------------------- a full disk


def test_a_full_disk_of_a_host_stops_the_run_before_anything_is_touched(small: Site) -> None:
    """The preflight finds it; where the scenario waives that, the keeping of old packages meets it."""
    before, place = take(small.lab, ["cmp1"]), "/var/lib/nornir-upgrade"
    shipped = files("nornir_upgrade.scenarios").joinpath(f"{SCENARIO}.yaml").read_text()
    (small.directory / "scenarios").mkdir()
    (small.directory / "scenarios/bold.yaml").write_text(
        shipped.replace(f"name: {SCENARIO}", "name: bold") + "waive: [disk-space]\n"
    )
    small.lab.run("cmp1", ["sh", "-c", f"mkdir -p {place} && mount -t tmpfs -o size=12m tmpfs {place}"])
    try:
        found = small.forward(*ONE, status=24)
        met = small.upgrade("run", "bold", "--yes", *ONE, status=3)
    finally:
        small.lab.run("cmp1", ["umount", place])
    assert re.search(r"blocking: cmp1: /var/lib/nornir-upgrade has .* \[disk-space\]", found.err)
    assert "cmp1: No space left on device" in met.err
    assert small.runs() == [] and differences(before, take(small.lab, ["cmp1"])) == []
    small.rollback("escrow", "verify")
    small.forward(*ONE)


def test_a_full_disk_of_the_controller_while_it_keeps_packages_leaves_nothing_half_written(small: Site) -> None:
    before, nova = take(small.lab, ["cmp1"]), ("escrow", "fetch", "*nova*", *ONE)
    with mounted(small.state, "64m"):
        small.upgrade("history")  # the journal is there
        filler = fill(small.state, 60_000)
        assert "space left" in small.rollback(*nova, status=3).err
        assert "disk-space" in small.forward(*ONE, status=24).err
        assert differences(before, take(small.lab, ["cmp1"])) == []
        filler.unlink()
        small.rollback("escrow", "verify")
        assert small.runs() == []
        small.rollback(*nova)
        small.forward(*ONE)
        small.rollback("escrow", "verify")


def test_a_full_disk_of_the_controller_during_a_run_stops_it_and_it_is_resumed(small: Site) -> None:
    with mounted(small.state, "64m"):
        small.plant("cmp1", "slow-python-nova", "4")
        run = small.start("nornir-upgrade", "run", SCENARIO, "--yes", *ONE)
        small.await_script("cmp1", "python-nova")
        filler = fill(small.state, 0)
        stopped = run.end()
        assert stopped.status == 3 and "space left" in stopped.err, stopped.said
        filler.unlink()
        small.mend("cmp1")
        small.rollback("escrow", "verify")
        small.upgrade("resume", "--yes")
        assert [one["status"] for one in small.runs()] == ["succeeded"]
        assert small.text("cmp1", "dpkg", "--audit") == ""
        with deleted(small):
            small.rollback("apply", "--yes", "--run", "last")

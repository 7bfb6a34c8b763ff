"""Before the first service stops, on real hosts of both families: what comes later is there already, and a full disk is met by then."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import DiskFull
from nornir_upgrade.core.packaging.deb import download
from nornir_upgrade.core.packaging.dnf import download as download_rpm
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.preview import preview
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.disk import RESERVE
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.scenario.loader import load
from nornir_upgrade.steps.databases import DIRECTORY
from nornir_upgrade.steps.downloads import DownloadPackages, NewRepository
from nornir_upgrade.steps.gates import DatabaseDumps
from tests.conftest import connect
from tests.lab.conftest import _site
from tests.lab.picture import differences, take
from tests.lab.site import BOTH, SCENARIO, Site

pytestmark = pytest.mark.lab

HOSTS = ("cmp1", "rcmp1")
CACHE = (
    "find /var/cache/apt/archives /var/cache/dnf -path '*icehouse*' -o -name '*.deb' -o -name '*.rpm' 2>/dev/null; :"
)
CACHES = {"cmp1": "/var/cache/apt/archives", "rcmp1": "/var/cache/dnf"}


@pytest.fixture
def pair(fleet: Lab, rpm_fleet: Lab, tmp_path: Path) -> Iterator[Site]:
    """A controller's directory for both families, of which one compute node each is changed."""
    yield from _site(fleet, tmp_path, HOSTS, BOTH)


@contextmanager
def without_packages(site: Site) -> Iterator[None]:
    """Within the block the archive has the new release's indexes, and none of its packages."""
    root = site.lab.repositories
    gone = {path: path.with_name("gone") for path in (root / "icehouse/pool", root / "rpm/icehouse/packages")}
    for path, aside in gone.items():
        path.rename(aside)
    try:
        yield
    finally:
        for path, aside in gone.items():
            aside.rename(path)


def cached(site: Site) -> dict[str, list[str]]:
    """What stands in the caches of packages."""
    return {host: sorted(site.text(host, "sh", "-c", CACHE).split()) for host in HOSTS}


def test_nothing_is_fetched_once_services_stop_and_undone_the_caches_are_as_before(pair: Site) -> None:
    before, caches = take(pair.lab, HOSTS), cached(pair)
    begin = ("--limit", ",".join(HOSTS), "--stop-after", "1")
    pair.forward(*begin, status=3)
    assert all("2014.1" in "".join(names) for names in cached(pair).values())
    assert [line for line in differences(before, take(pair.lab, HOSTS)) if "/nornir-upgrade/jobs/" not in line] == []
    pair.upgrade("unwind", "--yes")
    assert cached(pair) == caches
    pair.forward(*begin, status=3)
    with without_packages(pair):
        pair.upgrade("resume", "--yes")
    assert [run["status"] for run in pair.runs()][-1] == "succeeded"
    assert not any("/icehouse" in name and name.endswith(".rpm") for name in cached(pair)["rcmp1"])


@contextmanager
def small_disk(lab: Lab, host: str, place: str, size: str) -> Iterator[None]:
    lab.run(host, ["sh", "-c", f"mkdir -p {place} && mount -t tmpfs -o size={size},mode=0755 tmpfs {place}"])
    try:
        yield
    finally:
        lab.run(host, ["umount", place])


@pytest.mark.parametrize("name", ["cmp1", pytest.param("rcmp1", marks=pytest.mark.soak)])
def test_a_disk_that_fills_up_under_a_download_is_told_and_left_empty(
    fleet: Lab, rpm_fleet: Lab, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, manager = connect(fleet, name), "dnf4" if name == "rcmp1" else "apt"
    new = load(SCENARIO).repositories_of(family_of(manager).format.name).new
    asked = "openstack-nova-compute" if manager == "dnf4" else "nova-compute"
    coming = preview(host, {new.path: new.text or ""}, {"it": (asked,)}, manager=manager)["it"].changes
    step = DownloadPackages(
        tuple(PackageWant(one.name, one.arch, one.new, "installed") for one in coming),
        (NewRepository(new.path, new.text or ""),),
        manager=manager,
    )
    store = Store(tmp_path / "store")
    with small_disk(fleet, name, CACHES[name], "32k"):
        with pytest.raises(DiskFull, match=rf"{name}: No space left .* are to be left"):
            step.apply(host, store)
        for module in (download, download_rpm):  # as if a disk were full that was not when it began
            monkeypatch.setattr(module, "DOWNLOAD", module.DOWNLOAD.replace(str(RESERVE), "16384"))
        fleet.run(name, ["sh", "-c", f"mkdir -p {CACHES[name]}/partial; head -c 16000 /dev/zero >{CACHES[name]}/other"])
        with pytest.raises(DiskFull, match=name):
            step.apply(host, store)
        assert not fleet.run(name, ["sh", "-c", CACHE]).stdout
    assert step.apply(host, store) == "4 files came"
    host.close()
    fleet.reset(name)


def test_a_disk_that_fills_up_under_a_trial_dump_is_told_and_left_empty(fleet: Lab, tmp_path: Path) -> None:
    host, trial, store = connect(fleet, "ctl1"), DatabaseDumps("keystone"), Store(tmp_path / "store")
    try:
        with small_disk(fleet, "ctl1", DIRECTORY, "4k"):
            with pytest.raises(DiskFull, match="ctl1: no space left for the dump of a database"):
                trial.apply(host, store)
            assert [state.path for state in host.tree((DIRECTORY,))] == [DIRECTORY]
        trial.apply(host, store)
        assert len(list(store.digests())) == 1
    finally:
        host.close()
        fleet.reset("ctl1")

"""The escrow on real hosts: every file once for the fleet, rebuilt where nobody has it, and a way back that no repository offers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import DigestMismatch, DiskFull
from nornir_upgrade.core.escrow import deliver
from nornir_upgrade.core.escrow.collect import Collected, CollectProgress, collect
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.inventory.fleet import load
from nornir_upgrade.core.packaging.deb.apt import Apt
from nornir_upgrade.core.packaging.deb.eipp import PLANNER
from nornir_upgrade.core.packaging.deb.file_guard import kept_whole
from nornir_upgrade.core.packaging.deb.transaction import guarded
from nornir_upgrade.core.packaging.file_source import GATHERED
from nornir_upgrade.core.packaging.model import Package, PackageWant, differences, implied
from nornir_upgrade.core.packaging.package_file import DELIVERED, PackageFile, files_of
from nornir_upgrade.core.store import Store, digest_of
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.lab import provision
from nornir_upgrade.lab.cloud.releases import HAVANA, ICEHOUSE
from tests.lab import picture
from tests.lab.site import GROUPS, SCENARIO, Site

pytestmark = pytest.mark.lab

OLD, NEW = (f"/etc/apt/sources.list.d/cloud-{release}.list" for release in ("havana", "icehouse"))
APT = Apt()


class Work:
    """A site's fleet with an escrow, and what collecting told on its way."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.fleet = load(site.directory / "config.yaml")
        self.escrow = Escrow.beside(Store(site.state / "store"))
        self.told: list[CollectProgress] = []

    def host(self, name: str) -> Host:
        (found,) = self.fleet.each([name], lambda host: host).values()
        assert not isinstance(found, Exception), found
        return found

    def installed(self, name: str, marker: str = "cloud") -> tuple[PackageFile, ...]:
        """The installed packages of a host whose version holds `marker`."""
        host = self.host(name)
        files = files_of("deb", APT.parse_query(host.run(APT.query()).text))
        return tuple(file for file in files if marker in file.version)

    def collect(self, *names: str, marker: str = "cloud") -> Collected:
        needs = {name: self.installed(name, marker) for name in names}
        managers = dict.fromkeys(self.fleet.names, "apt")
        return collect(self.fleet, managers, needs, self.escrow, self.told.append)  # type: ignore[arg-type]

    def escrow_files(self) -> tuple[PackageFile, ...]:
        return tuple(kept.file for kept in self.escrow.list())

    def archive(self, release: str) -> dict[str, str]:
        """The digests of what the lab's archive has, by file name."""
        return {
            path.name: digest_of(path.read_bytes()) for path in (self.site.lab.repositories / release).rglob("*.deb")
        }

    def offer(self, host: str, line: str, path: str) -> None:
        """Afterwards the host's only repository is the one in `line`."""
        self.site.lab.run(host, ["sh", "-c", "rm -f /etc/apt/sources.list.d/*.list /var/cache/apt/archives/*.deb"])
        self.site.lab.run(host, ["sh", "-c", 'cat > "$1" && apt-get -qq update', "sh", path], f"{line}\n".encode())


@pytest.fixture
def work(site: Site) -> Iterator[Work]:
    made = Work(site)
    yield made
    made.fleet.close()


@pytest.fixture
def one(small: Site) -> Iterator[Work]:
    """Nothing changes but cmp1."""
    made = Work(small)
    yield made
    made.fleet.close()


def left_behind(work: Work, *hosts: str) -> list[str]:
    return [name for name in hosts if work.site.text(name, "ls", "-d", GATHERED, DELIVERED)]


# ---------------------------------------------------------------------- collecting


def test_each_file_comes_once_for_the_whole_fleet_as_the_archive_has_it(work: Work) -> None:
    found = work.collect(*GROUPS)
    found.require()
    wanted = {file for name in GROUPS for file in work.installed(name)}
    assert len(wanted) > 20 and {kept.file for kept in found.kept} == wanted and len(found.kept) == len(wanted)
    archive = work.archive("havana")
    by_pool = {name.replace("%3a", ":").split("_")[0]: digest for name, digest in archive.items()}
    assert {kept.file: kept.digest for kept in found.kept} == {file: by_pool[file.name] for file in wanted}
    assert {(kept.source, kept.checked) for kept in found.kept} == {("repository", "index")}
    assert {kept.host for kept in found.kept} >= {"ctl1", "net1"}  # what many have comes from more than one
    assert work.told[-1].files == len(wanted) and work.told[-1].bytes == sum(kept.size for kept in found.kept)
    assert left_behind(work, *GROUPS) == []
    assert work.collect(*GROUPS) == Collected((), {}, {})


def test_the_cache_of_a_host_is_asked_first_and_another_host_helps_out(work: Work) -> None:
    work.site.lab.run("cmp1", ["apt-get", "-qq", "install", "--reinstall", "-d", "nova-compute", "nova-common"])
    work.offer("cmp2", provision.source_line(ICEHOUSE), NEW)
    found = work.collect("cmp1", "cmp2")
    sources = {kept.file.name: (kept.host, kept.source, kept.checked) for kept in found.kept}
    assert sources["nova-compute"] == sources["nova-common"] == ("cmp1", "cache", "index")
    assert sources["python-nova"] == ("cmp1", "repository", "index") and not found.missing
    # Only cmp2, whose repositories have lost it, needs it: the host that needs nothing has it.
    again = Work(work.site)
    again.escrow = Escrow.beside(Store(work.site.state / "again" / "store"))
    helped = again.collect("cmp2")
    again.fleet.close()
    assert {kept.host for kept in helped.kept if kept.file.name == "nova-compute"} == {"cmp1"}
    assert not any(kept.rebuilt for kept in helped.kept)


def test_a_cached_file_that_no_index_knows_is_taken_by_the_name_in_it(one: Work) -> None:
    one.site.lab.run("cmp1", ["apt-get", "-qq", "install", "--reinstall", "-d", "nova-compute"])
    lie = "cp /var/cache/apt/archives/nova-compute_*.deb '/var/cache/apt/archives/nova-common_1%3a2013.2-0ubuntu1~cloud0_all.deb'"
    one.site.lab.run("cmp1", ["sh", "-c", f"rm {OLD}; apt-get -qq update; {lie}"])
    needs = {"cmp1": one.installed("cmp1")}
    found = collect(one.fleet, {"cmp1": "apt"}, needs, one.escrow)
    assert not found.missing and not found.failures, found
    sources = {kept.file.name: (kept.source, kept.checked) for kept in found.kept}
    assert sources["nova-compute"] == ("cache", "name")
    assert sources["nova-common"] == ("rebuilt", "name")


def test_a_file_that_the_archive_has_lost_leaves_the_others_alone(one: Work) -> None:
    (lost,) = (one.site.lab.repositories / "havana").rglob("nova-common_*.deb")
    hidden = lost.rename(lost.with_suffix(".hidden"))
    try:
        found = one.collect("cmp1")
    finally:
        hidden.rename(lost)
    found.require()
    assert {kept.file.name for kept in found.kept if kept.rebuilt} == {"nova-common"}
    assert {kept.file.name for kept in found.kept if kept.source == "repository"} == {"nova-compute", "python-nova"}


# ---------------------------------------------------------------------- the way back


@pytest.mark.parametrize("source", ["repository", "rebuilt"])
def test_a_downgrade_that_no_repository_offers_goes_through_in_one_transaction(one: Work, source: str) -> None:
    before = picture.take(one.site.lab, ["cmp1"])
    host = one.host("cmp1")
    then = APT.parse_query(host.run(APT.query()).text)
    if source == "rebuilt":
        one.site.lab.run("cmp1", ["sh", "-c", f"rm {OLD}; apt-get -qq update"])
        collect(one.fleet, {"cmp1": "apt"}, {"cmp1": one.installed("cmp1")}, one.escrow).require()
    else:
        one.collect("cmp1").require()
    assert {kept.source for kept in one.escrow.list()} == {source}

    one.offer("cmp1", provision.source_line(ICEHOUSE), NEW)
    upgrade = ["apt-get", "-qq", "-y", "-o", "Dpkg::Options::=--force-confold", "install", "nova-compute"]
    one.site.lab.run("cmp1", upgrade)
    present = APT.parse_query(host.run(APT.query()).text)
    want = _back(then, present)
    assert {one.goal for one in want} == {"installed", "absent"}
    simulate = APT.simulate(want, present, downgrade=True)
    assert "was not found" in host.run(simulate, check=False).errors

    delivered = deliver.supply(host, one.escrow.store, "apt", want, present)
    assert len(delivered.paths) == sum(each.goal == "installed" for each in want)
    said = APT.parse_simulation(host.run(delivered.known_to(simulate)).text, present)
    assert said.changes == implied(want, present).changes
    transactions = one.site.transactions("cmp1")
    change, *rest = APT.change(want, present, downgrade=True, wait=60)
    transact = guarded(
        kept_whole(delivered.known_to(change), PLANNER, back=True), ("nova-compute",)
    )  # as SetPackages goes back
    assert host.job("packages", (transact, *rest)).status == 0
    host.run(["systemctl", "start", "nova-compute"])
    assert one.site.transactions("cmp1") == transactions + 1
    assert differences(want, APT.parse_query(host.run(APT.query()).text)) == ()
    deliver.withdraw(host)
    one.site.lab.run("cmp1", ["sh", "-c", f"rm -f {NEW}; apt-get -qq clean"])
    host.write(OLD, f"{provision.source_line(HAVANA)}\n".encode())
    host.forget("packages")
    assert left_behind(one, "cmp1") == []
    # Configuration is restored by a step of its own, from a capture; here only the packages went back.
    one.site.lab.run("cmp1", ["sh", "-c", "rm -f /etc/nova/*.dpkg-dist /etc/nova/release.conf"])
    assert picture.differences(before, picture.take(one.site.lab, ["cmp1"])) == []


def test_what_repositories_offer_comes_from_there_and_only_the_rest_from_escrow(one: Work) -> None:
    host = one.host("cmp1")
    then = APT.parse_query(host.run(APT.query()).text)
    needs = {"cmp1": [file for file in files_of("deb", then) if file.name in ("less", "nova-common", "nova-compute")]}
    collect(one.fleet, {"cmp1": "apt"}, needs, one.escrow).require()
    (less,) = (kept for kept in one.escrow.list() if kept.file.name == "less")
    assert less.rebuilt and len(one.escrow.list()) == 3
    assert deliver.supply(host, one.escrow.store, "apt", (), then) == deliver.Delivered("apt", (), ())

    with one.escrow.store.open(less.digest) as source:
        host.upload(source, "/root/less.deb")
    newer = "dpkg-deb -R less.deb less && sed -i 's/^Version: .*/Version: 999-1/' less/DEBIAN/control && dpkg-deb -b less less.deb"
    one.site.lab.run("cmp1", ["sh", "-c", f"cd /root && {newer} && dpkg -i less.deb && rm -r less*"])
    host.write(NEW, f"{provision.source_line(ICEHOUSE)}\n".encode())
    upgrade = "apt-get -qq update && apt-get -qq -y -o Dpkg::Options::=--force-confold install nova-compute"
    one.site.lab.run("cmp1", ["sh", "-c", upgrade])
    present = APT.parse_query(host.run(APT.query()).text)
    want = _back(then, present)
    assert _names(want) == {"less", "nova-common", "nova-compute", "python-nova", "python-oslo.messaging"}
    delivered = deliver.supply(host, one.escrow.store, "apt", want, present)
    assert delivered.paths == (f"{DELIVERED}/{less.file.file_name}",)
    change, *rest = APT.change(want, present, downgrade=True, wait=60)
    assert host.job("packages", (kept_whole(delivered.known_to(change), PLANNER, back=True), *rest)).status == 0
    assert differences(want, APT.parse_query(host.run(APT.query()).text)) == ()
    assert one.site.text("cmp1", "sh", "-c", "less --version | head -1").startswith("less ")
    deliver.withdraw(host)
    host.forget("packages")


def test_what_was_delivered_is_not_sent_again_and_a_changed_file_is(one: Work) -> None:
    one.collect("cmp1").require()
    host, files = one.host("cmp1"), one.escrow_files()
    deliver.deliver(host, one.escrow, files, "apt")
    path = f"{DELIVERED}/{files[0].file_name}"
    inode = one.site.text("cmp1", "stat", "-c", "%i", f"{DELIVERED}/{files[1].file_name}")
    host.write(path, b"changed")
    host.write(f"{DELIVERED}/stranger_1_all.deb", b"")
    again = deliver.deliver(host, one.escrow, files, "apt")
    assert one.site.text("cmp1", "stat", "-c", "%i", f"{DELIVERED}/{files[1].file_name}") == inode
    assert one.site.text("cmp1", "sh", "-c", f"ls {DELIVERED}/*.deb").split() == sorted(again.paths)
    assert digest_of(host.read(path)) == one.escrow.require(files[0]).digest
    assert one.site.text("cmp1", "stat", "-c", "%a %U", path, DELIVERED).split("\n")[:2] == [
        "600 root",
        "700 root",
    ]
    _flip(one.site.state / "store", one.escrow.require(files[0]).digest)
    host.write(path, b"changed")
    with pytest.raises(DigestMismatch, match=str(files[0])):
        deliver.deliver(host, one.escrow, files, "apt")
    assert host.read(path) == b"changed"
    deliver.withdraw(host)


# ---------------------------------------------------------------------- a full disk


def test_a_full_disk_of_a_host_ends_it_cleanly_and_it_goes_on_when_there_is_room(one: Work) -> None:
    place = "/var/lib/nornir-upgrade"
    one.site.lab.run("cmp1", ["sh", "-c", f"mkdir -p {place} && mount -t tmpfs -o size=4m tmpfs {place}"])
    try:
        needs = {"cmp1": one.installed("cmp1")}
        found = collect(one.fleet, {"cmp1": "apt"}, needs, one.escrow)
        with pytest.raises(DiskFull, match=r"cmp1: No space left .* are needed"):
            found.require()
        assert one.escrow.list() == () and left_behind(one, "cmp1") == []
    finally:
        one.site.lab.run("cmp1", ["umount", place])
    collect(one.fleet, {"cmp1": "apt"}, needs, one.escrow).require()
    assert {kept.file for kept in one.escrow.list()} == set(needs["cmp1"])


# ---------------------------------------------------------------------- rebuilt

EVERY_FILE = r"""
for package do
  dpkg-query -L "$package" | grep '^/' | sort | xargs -d '\n' stat -c '%n %F %a %U %G' 2>/dev/null
  dpkg -V "$package" | grep -v '^missing.* /usr/share/'
done
"""


def test_installing_what_was_rebuilt_changes_nothing(one: Work) -> None:
    """Of packages with links for directories, diversions, setuid programs and conffiles that somebody changed."""
    names = ("coreutils", "dash", "libpam-runtime", "passwd", "sudo")
    one.site.lab.run("cmp1", ["sh", "-c", "echo '# changed' >> /etc/sudo.conf"])
    host = one.host("cmp1")
    needs = {"cmp1": [file for file in one.installed("cmp1", "") if file.name in names]}
    before, files = picture.take(one.site.lab, ["cmp1"]), one.site.text("cmp1", "sh", "-c", EVERY_FILE, "sh", *names)
    collect(one.fleet, {"cmp1": "apt"}, needs, one.escrow).require()
    assert all(kept.rebuilt for kept in one.escrow.list()) and len(one.escrow.list()) == len(names)
    assert " 4755 root root" in files and "/bin/sh " in files and "/lib" in files
    delivered = deliver.deliver(host, one.escrow, one.escrow_files(), "apt")
    listed = one.site.text(
        "cmp1",
        "sh",
        "-c",
        f"dpkg-deb -c {DELIVERED}/dash_*.deb; dpkg-deb -f {DELIVERED}/dash_*.deb Status",
    )
    assert "./bin/sh -> dash" in listed and "./ins" not in listed and "ok installed" not in listed
    one.site.lab.run("cmp1", ["dpkg", "--force-confold", "-i", *delivered.paths])
    deliver.withdraw(host)
    one.site.lab.run("cmp1", ["apt-mark", "auto", *sorted(before["cmp1"]["auto"])])
    assert one.site.text("cmp1", "sh", "-c", EVERY_FILE, "sh", *names) == files
    one.site.lab.run("cmp1", ["rm", "/etc/sudo.conf.dpkg-dist"])
    assert picture.differences(before, picture.take(one.site.lab, ["cmp1"])) == []


# ---------------------------------------------------------------------- the command line


def test_fetch_list_verify_and_prune_as_an_operator_types_them(small: Site) -> None:
    only = ("--limit", "cmp1")
    fetched = small.rollback("escrow", "fetch", "nova-*", "python-nova", "less", *only, "-o", "json").document
    assert {one["file"]["name"]: one["source"] for one in fetched["fetched"]} == {
        "nova-common": "repository",
        "nova-compute": "repository",
        "python-nova": "repository",
        "less": "rebuilt",  # the lab's repositories do not have what Debian itself has
    }
    assert fetched["missing"] == [] and fetched["bytes"] == sum(one["size"] for one in fetched["fetched"])
    assert "all is in escrow" in small.rollback("escrow", "fetch", "nova-*", *only).out
    listed = small.rollback("escrow", "list").out
    assert "less:amd64" in listed and "rebuilt" in listed
    assert "8 objects" in small.rollback("escrow", "verify").out  # four files, four entries
    digest = next(one["digest"] for one in fetched["fetched"] if one["file"]["name"] == "nova-common")
    _flip(small.state / "store", digest)
    assert digest in small.rollback("escrow", "verify", status=22).out
    small.upgrade("plan", SCENARIO, *only, "--out", "plan.json")
    planned = small.rollback("escrow", "fetch", "--plan", "plan.json", *only, "-o", "json").document
    assert [one["digest"] for one in planned["fetched"]] == [digest]  # what is damaged comes anew
    small.rollback("escrow", "verify")
    small.forward(*only)
    pruned = small.rollback("escrow", "prune", "--yes").err
    assert pruned == ""  # every installed package of the snapshot is one that may be needed
    small.rollback("apply", *only, "--yes")


# ---------------------------------------------------------------------- helpers


def _back(then: Sequence[Package], now: Sequence[Package]) -> tuple[PackageWant, ...]:
    """What leads from `now` to `then`."""
    old = {one.key: one for one in then}
    gone = (PackageWant(one.name, one.arch, "", "absent") for one in now if one.key not in old)
    changed = (one for one in then if one not in now)
    stay = (PackageWant(one.name, one.arch, one.version, "installed", one.auto, one.hold) for one in changed)
    return (*stay, *gone)


def _names(want: Sequence[PackageWant]) -> set[str]:
    return {one.name for one in want}


def _flip(store: Path, digest: str) -> None:
    path = store / digest[:2] / digest
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)

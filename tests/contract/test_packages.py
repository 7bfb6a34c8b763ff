"""What package managers promise, one set of cases for apt and for dnf, on real hosts of either: reached exactly, undone exactly,
refused before anything happens, and repaired after the worst.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import pytest

from nornir_upgrade.core import engine
from nornir_upgrade.core.errors import CommandFailed, Failure, PackageManagerLocked, SimulationDiffers, Unobtainable
from nornir_upgrade.core.facts.compare import compare
from nornir_upgrade.core.facts.gather import HostFacts, gather, package_digest
from nornir_upgrade.core.packaging import lock
from nornir_upgrade.core.packaging.model import Goal, Package, PackageWant, digest_of_packages, standing_for
from nornir_upgrade.core.packaging.preview import EVERYTHING, preview
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab import provision
from nornir_upgrade.lab.cloud.releases import ICEHOUSE
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.rpm import provision as rpm_provision
from nornir_upgrade.lab.rpm.releases import ICEHOUSE_RPM
from nornir_upgrade.steps.files import CaptureFiles
from nornir_upgrade.steps.gates import AuditClean
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from tests.conftest import connect
from tests.core.rpmroot import Built, RpmRoot

pytestmark = pytest.mark.lab

# Takes a lock as dpkg and rpm do (fcntl(2)), and keeps it.
_LOCK = "import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(float(sys.argv[2]))"
# What a manager keeps, but for the files beside a database that who only reads it makes.
_BYTES = """\
find /etc /var/lib/dpkg /var/lib/apt /var/cache/apt /var/lib/rpm /var/lib/dnf /var/cache/dnf -xdev -type f \
  ! -name '*-shm' ! -name '*-wal' -print0 2>/dev/null | sort -z | xargs -0 sha256sum
find /var/tmp -xdev | grep -v /systemd-private- | sort
"""
_CONFIGURATION = ("/etc/nova", "/etc/quantum", "/etc/neutron", "/etc/cinder")
_numbers = iter(range(1_000_000))


@dataclass(frozen=True, slots=True)
class Words:
    """What things are called in a family. `requisite` must come along with `compute`; `new` is not installed on the node."""

    manager: str
    node: str
    network: str
    compute: str
    requisite: str
    old_name: str
    new_name: str
    new: str
    protected: str
    lock: str
    repository: SetRepository
    away: Goal


DEB = Words(
    manager="apt",
    node="cmp2",
    network="net1",
    compute="nova-compute",
    requisite="python-nova",
    old_name="quantum",
    new_name="neutron-l3-agent",
    new="cinder-volume",
    protected="hostname",
    lock="/var/lib/dpkg/lock",
    repository=SetRepository("/etc/apt/sources.list.d/cloud-icehouse.list", f"{provision.source_line(ICEHOUSE)}\n"),
    away="config-files",
)
RPM = Words(
    manager="dnf4",
    node="rcmp2",
    network="rctl1",
    compute="openstack-nova-compute",
    requisite="python-nova",
    old_name="quantum",
    new_name="openstack-neutron",
    new="openstack-cinder",
    protected="dnf",
    lock="/var/lib/rpm/.rpm.lock",
    repository=SetRepository(rpm_provision.repository_path(ICEHOUSE_RPM), rpm_provision.repository_file(ICEHOUSE_RPM)),
    away="absent",
)


@dataclass(frozen=True, slots=True)
class Site:
    """A family's node and network host, and a store."""

    words: Words
    node: SshHost
    network: SshHost
    store: Store

    def wants(self, host: SshHost, *asked: str) -> tuple[PackageWant, ...]:
        """What the host's own manager would do for `asked`, pinned; new packages are automatic unless they were asked for."""
        present = gather(host).packages
        found = preview(host, {}, {"all": asked}, manager=self.words.manager)["all"]
        return tuple(self._want(c.name, c.arch, c.new, asked, present) for c in found.changes)

    def _want(
        self, name: str, arch: str, new: str, asked: tuple[str, ...], present: tuple[Package, ...]
    ) -> PackageWant:
        if not new:
            return PackageWant(name, arch, "", self.words.away)
        want = PackageWant(name, arch, new, "installed", auto=name not in asked)
        same = standing_for(want, present)
        now = next((one for one in present if one.key == same), None)
        return replace(want, auto=now.auto, hold=now.hold) if now else want

    def step(self, *want: PackageWant) -> SetPackages:
        return SetPackages(want, downgrade=True, manager=self.words.manager)  # type: ignore[arg-type]

    def apply(self, step: SetPackages, host: SshHost) -> None:
        step.apply(engine._scoped(host, f"contract-{next(_numbers)}-{time.time_ns()}."), self.store)

    def undone(self, step: SetPackages, host: SshHost, check: Callable[[HostFacts], None]) -> None:
        """The step is done, twice, and undone: packages, marks and holds are what they were."""
        start = gather(host)
        before = step.observe(host, self.store)
        assert isinstance(before, SetPackages)
        for _ in range(2):
            self.apply(step, host)
            check(now := gather(host))
            self.agree(host, now)
        self.apply(before, host)
        self.as_before(start, host)

    def as_before(self, start: HostFacts, host: SshHost) -> None:
        now = gather(host)
        assert [one for one in compare(start, now) if one.area in ("packages", "marks", "holds")] == []
        self.agree(host, now)
        AuditClean(manager=self.words.manager).apply(host, self.store)  # type: ignore[arg-type]

    def agree(self, host: SshHost, facts: HostFacts) -> None:
        """Facts, the cheap digest and the manager's own words are of one mind."""
        manager = family_of(self.words.manager).manager
        assert facts.packages == manager.parse_query(host.run(manager.query()).text)
        assert package_digest(host) == digest_of_packages(facts.packages)
        if self.words.manager == "dnf4":
            told = host.run(("dnf", "-q", "--disablerepo=*", "repoquery", "--userinstalled", "--qf", "%{name}")).text
            assert set(told.split()) == {one.name for one in facts.packages if not one.auto}


def one(facts: HostFacts, name: str) -> Package:
    (found,) = (package for package in facts.packages if package.name == name)
    return found


@pytest.fixture(scope="module", params=[DEB, RPM], ids=["apt", "dnf"])
def real(request: pytest.FixtureRequest) -> Iterator[tuple[Words, SshHost, SshHost]]:
    """Two hosts of a family on which the new release's packages can be had as well. Afterwards they are reset."""
    words: Words = request.param
    lab: Lab = request.getfixturevalue("fleet" if words.manager == "apt" else "rpm_fleet")
    hosts = (connect(lab, words.node), connect(lab, words.network))
    yield words, *hosts
    for host in hosts:
        host.close()
    lab.reset(words.node, words.network)


@pytest.fixture
def site(real: tuple[Words, SshHost, SshHost], tmp_path: Path) -> Iterator[Site]:
    words, node, network = real
    made = Site(words, node, network, Store(tmp_path / "store"))
    captures = [CaptureFiles(_CONFIGURATION, "c").observe(host, made.store) for host in (node, network)]
    for host in (node, network):
        words.repository.apply(host, made.store)
    yield made
    for host, capture in zip((node, network), captures, strict=True):
        capture.apply(host, made.store)


# ---------------------------------------------------------------------- there and back


def test_up_and_down_with_all_that_comes_along(site: Site) -> None:
    want = site.wants(site.node, site.words.compute)
    assert {site.words.compute, site.words.requisite} < {each.name for each in want}

    def check(facts: HostFacts) -> None:
        assert all(one(facts, each.name).version == each.version for each in want)
        assert not one(facts, site.words.compute).auto and one(facts, site.words.requisite).auto

    site.undone(site.step(*want), site.node, check)


def test_a_new_package_and_away_again(site: Site) -> None:
    want = site.wants(site.node, site.words.new)
    site.undone(site.step(*want), site.node, lambda facts: _is(facts, site.words.new))


def _is(facts: HostFacts, name: str) -> None:
    assert one(facts, name).state == "installed"


def test_away_and_there_again(site: Site) -> None:
    compute = one(gather(site.node), site.words.compute)
    step = site.step(PackageWant(compute.name, compute.arch, "", site.words.away))
    site.undone(step, site.node, lambda facts: _is_gone(facts, compute.name))


def _is_gone(facts: HostFacts, name: str) -> None:
    assert not [each for each in facts.packages if each.name == name and each.unpacked]


def test_a_rename_there_and_back(site: Site) -> None:
    want = site.wants(site.network, site.words.new_name)
    assert any(site.words.old_name in each.name and each.goal != "installed" for each in want)
    site.undone(site.step(*want), site.network, lambda facts: _is(facts, site.words.new_name))


def test_marks_and_holds(site: Site) -> None:
    compute = one(gather(site.node), site.words.compute)
    flipped = PackageWant(compute.name, compute.arch, compute.version, "installed", not compute.auto, not compute.hold)

    def check(facts: HostFacts) -> None:
        now = one(facts, compute.name)
        assert (now.auto, now.hold, now.version) == (not compute.auto, not compute.hold, compute.version)

    site.undone(site.step(flipped), site.node, check)


def test_a_hold_gives_way_to_what_is_wanted_and_comes_back(site: Site) -> None:
    want = site.wants(site.node, site.words.compute)
    compute = one(gather(site.node), site.words.compute)
    held = site.step(PackageWant(compute.name, compute.arch, compute.version, "installed", compute.auto, hold=True))
    free = held.observe(site.node, site.store)
    site.apply(held, site.node)
    site.undone(site.step(*want), site.node, lambda facts: _is(facts, site.words.compute))
    assert one(gather(site.node), site.words.compute).hold
    assert isinstance(free, SetPackages)
    site.apply(free, site.node)


def test_a_stopped_service_stays_stopped_and_enabled(site: Site) -> None:
    """Its scripts would start or restart it; afterwards nothing is left that keeps it from being started."""
    unit = site.words.compute
    site.node.run(("systemctl", "enable", unit))
    site.node.run(("systemctl", "stop", unit))
    step = replace(site.step(*site.wants(site.node, unit)), keep_stopped=(unit,))
    site.undone(step, site.node, lambda facts: _stands_still(facts, unit))
    site.node.run(("systemctl", "start", unit))
    assert site.node.run(("systemctl", "is-active", unit)).text == "active\n"


def _stands_still(facts: HostFacts, unit: str) -> None:
    (service,) = (each for each in facts.services if each.name == unit)
    assert (service.active, service.enabled) == (False, "enabled")


# ---------------------------------------------------------------------- refused before anything happens


def refused(site: Site, step: SetPackages, error: type[Failure], match: str) -> None:
    start = gather(site.node)
    with pytest.raises(error, match=match):
        site.apply(step, site.node)
    site.as_before(start, site.node)


def test_a_preview_changes_nothing(site: Site) -> None:
    """Nor does one of everything, or one that is refused, or one of a repository that is not there."""
    before = site.node.run(("sh", "-c", _BYTES)).text
    path, text = site.words.repository.path, site.words.repository.text or ""
    asked = {"one": (site.words.compute,), "all": EVERYTHING}
    found = preview(site.node, {path: text}, asked, manager=site.words.manager)
    assert {each.name for each in found["one"].changes} <= {each.name for each in found["all"].changes}
    with pytest.raises(Unobtainable, match="no-such-package"):
        preview(site.node, {path: text}, {"one": ("no-such-package",)}, manager=site.words.manager)
    with pytest.raises(Unobtainable, match=r"(?s)new repositories.*404"):
        preview(site.node, {path: text.replace("/icehouse", "/gone")}, asked, manager=site.words.manager)
    assert site.node.run(("sh", "-c", _BYTES)).text == before


def test_a_repository_that_is_not_there(site: Site) -> None:
    own = site.words.repository
    path, text = own.path.replace("icehouse", "gone"), (own.text or "").replace("icehouse", "gone")
    with pytest.raises(CommandFailed, match="404"):
        SetRepository(path, text).apply(site.node, site.store)
    SetRepository(path).apply(site.node, site.store)
    own.apply(site.node, site.store)
    assert site.wants(site.node, site.words.compute)


def test_a_version_that_is_not_to_be_had(site: Site) -> None:
    compute = one(gather(site.node), site.words.compute)
    refused(site, site.step(PackageWant(compute.name, compute.arch, "9:9-9", "installed")), Unobtainable, "9:9-9")


def test_what_is_not_named_neither_comes_nor_goes(site: Site) -> None:
    want = [each for each in site.wants(site.node, site.words.compute) if each.name != site.words.requisite]
    refused(site, site.step(*want), SimulationDiffers, site.words.requisite)


def test_what_the_host_protects(site: Site) -> None:
    found = one(gather(site.node), site.words.protected)
    step = site.step(PackageWant(found.name, found.arch, "", site.words.away))
    refused(site, step, Failure, site.words.protected)


def test_the_kernel_that_runs(site: Site, tmp_path: Path) -> None:
    """dnf knows it by its image alone, not by its modules."""
    if site.words.manager == "apt":
        pytest.skip("apt leaves that to the kernel's own package")
    build_kernel(site, tmp_path / "kernel")
    found = one(gather(site.node), "kernel-own")
    refused(site, site.step(PackageWant(found.name, found.arch, "", "absent")), SimulationDiffers, "kernel-own 1-1")
    site.node.run(("dnf", "-y", "remove", "kernel-own"))


def build_kernel(site: Site, directory: Path) -> None:
    """A package with the running kernel's modules is installed on the node."""
    root = RpmRoot(directory)
    root.make()
    release = site.node.run(("uname", "-r")).text.strip()
    modules = f"/usr/lib/modules/{release}"
    own = Built("kernel-own", "1-1", scripts=f"%install\nmkdir -p %{{buildroot}}{modules}", files=modules)
    root.add_repository("kernels", [own])
    (built,) = root.directory.glob("kernels/*/kernel-own-1-1.noarch.rpm")
    site.node.write("/root/kernel-own-1-1.noarch.rpm", built.read_bytes())
    site.node.run(("dnf", "-y", "--disablerepo=*", "install", "/root/kernel-own-1-1.noarch.rpm"))


def test_a_lock_that_somebody_holds(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK_WAIT", 1)
    step = site.step(*site.wants(site.node, site.words.compute))
    site.node.run(("sh", "-c", 'setsid -f python3 -c "$@" >/dev/null 2>&1', "sh", _LOCK, site.words.lock, "6"))
    time.sleep(0.5)
    begun = time.monotonic()
    refused(site, step, PackageManagerLocked, r"python3 \(pid [0-9]+\)")
    time.sleep(max(0.0, 7 - (time.monotonic() - begun)))
    site.undone(step, site.node, lambda facts: _is(facts, site.words.compute))


# ---------------------------------------------------------------------- the worst


def fault(site: Site, name: str, text: str = "") -> None:
    site.node.run(("mkdir", "-p", "/run/lab-fault"))
    site.node.write(f"/run/lab-fault/{name}-{site.words.compute}", text.encode())


def mend(site: Site) -> None:
    site.node.run(("rm", "-rf", "/run/lab-fault"))


def test_a_script_that_fails_is_named_and_the_way_back_is_exact(site: Site) -> None:
    start = gather(site.node)
    step = site.step(*site.wants(site.node, site.words.compute))
    before = step.observe(site.node, site.store)
    assert isinstance(before, SetPackages)
    fault(site, "fail")
    with pytest.raises(CommandFailed, match=f"(postinst|%pre) of {site.words.compute}"):
        site.apply(step, site.node)
    mend(site)
    site.apply(before, site.node)
    site.as_before(start, site.node)


@pytest.mark.parametrize("onward", [True, False], ids=["forward", "back"])
def test_killed_in_a_script_then_repaired(site: Site, onward: bool) -> None:
    start = gather(site.node)
    step = site.step(*site.wants(site.node, site.words.compute))
    before = step.observe(site.node, site.store)
    assert isinstance(before, SetPackages)
    cut_off(site, step)
    assert any(each.interrupted for each in gather(site.node).packages)
    with pytest.raises(Failure):
        AuditClean(manager=site.words.manager).apply(site.node, site.store)  # type: ignore[arg-type]
    if onward:
        site.apply(step, site.node)
        assert not any(each.interrupted for each in gather(site.node).packages)
        site.agree(site.node, gather(site.node))
    site.apply(before, site.node)
    site.as_before(start, site.node)


def cut_off(site: Site, step: SetPackages) -> None:
    """The manager is killed, with all its children, while the script of the node's package runs."""
    if site.words.manager == "dnf4":
        fault(site, "kill")
        with pytest.raises(CommandFailed):
            site.apply(step, site.node)
    else:
        fault(site, "slow", "20")
        failed: list[Exception] = []
        thread = Thread(target=_fails, args=(site, step, failed))
        thread.start()
        site.node.run(("sh", "-c", "until pgrep -f 'nova-compute[.]postinst'; do sleep 0.1; done"), timeout=60.0)
        site.node.run(("sh", "-c", "pkill -9 -x 'apt-get|dpkg'; pkill -9 -f 'nova-compute[.]postinst'"))
        thread.join()
        assert failed
    mend(site)


def _fails(site: Site, step: SetPackages, failed: list[Exception]) -> None:
    try:
        site.apply(step, site.node)
    except CommandFailed as failure:
        failed.append(failure)

"""What steps promise, on the fake fleet and on the real one: reached, reached once, and undone."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nornir_upgrade.core import engine
from nornir_upgrade.core.errors import CommandFailed, Failure, GateFailed, SimulationDiffers, StateDiffers, Unobtainable
from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.packaging.deb.apt import Apt
from nornir_upgrade.core.packaging.download import drop, names_of
from nornir_upgrade.core.packaging.model import Goal, Package, PackageWant
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.steps import gates
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase, RestoreDatabase
from nornir_upgrade.steps.downloads import DownloadPackages
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from tests.conftest import connect
from tests.contract.conftest import BOTH
from tests.crash import compact
from tests.fake import dpkg, hosts
from tests.fake.index import HAVANA, ICEHOUSE

_CONFIGURATION = ("/etc/nova", "/etc/keystone", "/etc/cinder")
ICEHOUSE_SOURCE = SetRepository(hosts.SOURCES.format(release="icehouse"), hosts.SOURCE.format(release="icehouse"))


@dataclass(frozen=True, slots=True)
class Pair:
    """The controller and a compute node of the fleet, a store, and a place for each step's jobs."""

    control: Host
    compute: Host
    store: Store

    def apply(self, step: Step, host: Host) -> None:
        step.apply(engine._scoped(host, f"contract-{next(_numbers)}."), self.store)

    def done_and_undone(self, step: Step, host: Host, check: Callable[[], None]) -> None:
        """The step is done, checked, done again and checked; then undone, and what it observed is observed again."""
        before = step.observe(host, self.store)
        assert before is not None
        for _ in range(2):
            self.apply(step, host)
            check()
        self.apply(before, host)
        assert step.observe(host, self.store) == before


_numbers = iter(range(1_000_000))


@pytest.fixture(params=BOTH)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    if request.param == "fake":
        control, _, _, compute = (hosts.place(state, tmp_path) for state in hosts.fleet())
        return Pair(control, compute, Store(tmp_path / "store"))
    control, compute = request.getfixturevalue("real_pair")
    return Pair(control, compute, Store(tmp_path / "store"))


@pytest.fixture(scope="module")
def real_pair(fleet: Lab) -> Iterator[tuple[Host, Host]]:
    """ctl1 and cmp2 of the lab; every case leaves them as it found them, and they are reset at the end all the same."""
    found = (connect(fleet, "ctl1"), connect(fleet, "cmp2"))
    yield found
    for host in found:
        host.close()
    fleet.reset("ctl1", "cmp2")


@pytest.fixture
def icehouse(pair: Pair) -> Iterator[None]:
    """The compute node knows icehouse's repository as well, and its configuration comes back afterwards."""
    capture = CaptureFiles(_CONFIGURATION, "c").observe(pair.compute, pair.store)
    pair.apply(ICEHOUSE_SOURCE, pair.compute)
    yield
    pair.apply(SetRepository(ICEHOUSE_SOURCE.path), pair.compute)
    pair.apply(capture, pair.compute)


def package(host: Host, name: str) -> Package | None:
    return next((one for one in gather(host).packages if one.name == name), None)


def upgrade(pair: Pair) -> SetPackages:
    """nova-compute to icehouse, with all that apt says must come with it."""
    return compact._packages(pair.compute, compact.COMPUTE_PACKAGES, "")


def state_of(facts: HostFacts) -> object:
    """Packages with versions, states, marks and holds."""
    return facts.packages


def want(name: str, version: str, goal: Goal = "installed", *, auto: bool = False) -> PackageWant:
    return PackageWant(name, "all", version, goal, auto)


# ---------------------------------------------------------------------- packages


def test_facts_tell_what_the_package_manager_tells(pair: Pair) -> None:
    """The marks as well, which facts read from where apt-mark(8) keeps them."""
    packages = gather(pair.compute).packages
    assert packages == Apt().parse_query(pair.compute.run(Apt().query()).text)
    assert {True, False} == {one.auto for one in packages if one.arch == "all"}


def test_packages_go_up_and_come_back_with_marks_and_holds(pair: Pair, icehouse: None) -> None:
    step, start = upgrade(pair), gather(pair.compute)

    def check() -> None:
        found = {one.name: one for one in gather(pair.compute).packages}
        assert found["nova-compute"].version == found["python-nova"].version == ICEHOUSE
        assert not found["nova-compute"].auto and found["nova-common"].auto
        assert found["python-oslo.messaging"].auto
        assert found["less"].hold

    pair.done_and_undone(step, pair.compute, check)
    assert state_of(gather(pair.compute)) == state_of(start)


def test_packages_are_downloaded_from_a_repository_that_the_host_does_not_have_and_go_again(pair: Pair) -> None:
    packages = compact.download(pair.compute, compact.COMPUTE_PACKAGES)
    start = gather(pair.compute)
    drop(pair.compute, "apt", names_of("apt", packages.want, start.packages))  # what an upgrade left there before
    before = packages.observe(pair.compute, pair.store)
    assert isinstance(before, DownloadPackages)
    names = [one.rpartition("_")[0] for one in before.gone]
    assert "nova-compute_1%3a2014.1-0ubuntu1~cloud0" in names and len(names) == len(before.gone) >= 4

    def check() -> None:
        there = packages.observe(pair.compute, pair.store)
        assert isinstance(there, DownloadPackages) and not there.gone
        assert packages.apply(pair.compute, pair.store) == "all were there"
        assert state_of(gather(pair.compute)) == state_of(start)

    pair.done_and_undone(packages, pair.compute, check)


def test_what_no_index_has_cannot_be_downloaded(pair: Pair) -> None:
    with pytest.raises(Failure, match="nova-compute"):
        pair.apply(DownloadPackages((want("nova-compute", "9:9"),)), pair.compute)


def test_versions_go_down_only_where_that_was_said(pair: Pair, icehouse: None) -> None:
    step = upgrade(pair)
    before = step.observe(pair.compute, pair.store)
    assert isinstance(before, SetPackages)
    pair.apply(step, pair.compute)
    with pytest.raises(Failure):
        pair.apply(replace(before, downgrade=False), pair.compute)
    assert gather_version(pair, "nova-compute") == ICEHOUSE
    pair.apply(before, pair.compute)
    assert gather_version(pair, "nova-compute") == HAVANA


def gather_version(pair: Pair, name: str) -> str:
    found = package(pair.compute, name)
    assert found is not None
    return found.version


def test_new_packages_are_purged_when_they_are_undone(pair: Pair, icehouse: None) -> None:
    names = ("cinder-volume", "cinder-common", "python-cinder", "python-cinderclient")
    step = SetPackages(
        tuple(
            want(name, "1:1.0.6-0ubuntu1~cloud0" if name.endswith("client") else HAVANA, auto=name != names[0])
            for name in names
        ),
        keep_stopped=("cinder-volume",),
    )

    def check() -> None:
        assert all(package(pair.compute, name) for name in names)
        assert not next(one.active for one in gather(pair.compute).services if one.name == "cinder-volume")

    pair.done_and_undone(step, pair.compute, check)
    assert not any(package(pair.compute, name) for name in names)
    assert {one.kind for one in pair.compute.stat(("/etc/cinder/cinder.conf",))} == {"absent"}
    assert not any(one.name == "cinder-volume" for one in gather(pair.compute).services)


def test_a_removed_package_keeps_its_configuration_and_comes_back_to_it(pair: Pair, icehouse: None) -> None:
    step = SetPackages((want("nova-common", "", "config-files"), want("nova-compute", "", "config-files")))
    start = gather(pair.compute)

    def check() -> None:
        found = package(pair.compute, "nova-common")
        assert found is not None and found.state == "config-files"
        assert package(pair.compute, "nova-compute") is None or not package(pair.compute, "nova-compute").unpacked  # type: ignore[union-attr]
        assert pair.compute.stat(("/etc/nova/nova.conf",))[0].kind == "file"

    pair.done_and_undone(step, pair.compute, check)
    end = gather(pair.compute)
    assert state_of(end) == state_of(start)
    assert end.conffiles == start.conffiles


def test_marks_and_holds_alone_can_be_wanted(pair: Pair) -> None:
    less = package(pair.compute, "less")
    assert less is not None and less.hold
    wanted = PackageWant("less", less.arch, less.version, "installed", auto=not less.auto, hold=False)

    def check() -> None:
        found = package(pair.compute, "less")
        assert found is not None and (found.auto, found.hold) == (not less.auto, False)

    pair.done_and_undone(SetPackages((wanted,)), pair.compute, check)
    assert package(pair.compute, "less") == less


def test_a_transaction_that_would_do_more_is_refused_before_anything_is_done(pair: Pair, icehouse: None) -> None:
    start = gather(pair.compute)
    with pytest.raises(SimulationDiffers):
        pair.apply(SetPackages((want("nova-common", ICEHOUSE, auto=True),)), pair.compute)
    assert state_of(gather(pair.compute)) == state_of(start)


def test_a_version_that_nobody_has_is_named(pair: Pair) -> None:
    with pytest.raises(Unobtainable, match="9:9"):
        pair.apply(SetPackages((want("nova-compute", "9:9"),)), pair.compute)


def test_a_failing_maintainer_script_is_told_and_its_package_mended_by_trying_again(pair: Pair, icehouse: None) -> None:
    step = upgrade(pair)
    before = step.observe(pair.compute, pair.store)
    assert before is not None
    fault = f"{dpkg.FAULTS}/fail-nova-compute"
    pair.compute.run(("install", "-d", "-m", "0755", "--", dpkg.FAULTS))
    pair.compute.write(fault, b"")
    with pytest.raises(CommandFailed, match="nova-compute") as caught:
        pair.apply(step, pair.compute)
    assert "postinst" in caught.value.message
    with pytest.raises(GateFailed):
        gates.AuditClean(0).apply(pair.compute, pair.store)
    pair.compute.place(FileState(fault, "absent"))
    pair.apply(step, pair.compute)
    gates.AuditClean(0).apply(pair.compute, pair.store)
    assert gather_version(pair, "nova-compute") == ICEHOUSE
    pair.apply(before, pair.compute)


# ---------------------------------------------------------------------- repositories


def test_a_repository_comes_and_goes(pair: Pair) -> None:
    def check() -> None:
        assert {one.suite for one in gather(pair.compute).repositories} >= {"havana", "icehouse"}

    start = gather(pair.compute)
    pair.done_and_undone(ICEHOUSE_SOURCE, pair.compute, check)
    end = gather(pair.compute)
    assert (end.repositories, end.sources) == (start.repositories, start.sources)


def test_a_file_that_is_rewritten_keeps_its_owner_and_mode_and_comes_back_with_them(pair: Pair) -> None:
    path = hosts.SOURCES.format(release="havana")
    old = pair.compute.read(path)
    pair.compute.write(path, old, mode="0640")
    (start,) = pair.compute.stat((path,))
    text = f"# rewritten\n{old.decode()}"
    step = SetRepository(path, text, replaces=hashlib.sha256(old).hexdigest())

    def check() -> None:
        (now,) = pair.compute.stat((path,))
        assert now.mode == "0640" and pair.compute.read(path).decode() == text

    pair.done_and_undone(step, pair.compute, check)
    removed = SetRepository(path)
    before = removed.observe(pair.compute, pair.store)
    pair.apply(removed, pair.compute)
    pair.apply(before, pair.compute)
    assert pair.compute.stat((path,)) == (start,)
    pair.compute.write(path, f"{text}# by hand\n".encode())
    with pytest.raises(StateDiffers, match="changed since the plan was made"):
        pair.apply(step, pair.compute)
    pair.compute.write(path, old)


def test_a_repository_that_is_not_there_fails_and_can_be_undone(pair: Pair) -> None:
    start = gather(pair.compute)
    step = SetRepository(hosts.SOURCES.format(release="none"), hosts.SOURCE.format(release="none"))
    before = step.observe(pair.compute, pair.store)
    with pytest.raises(Failure):
        pair.apply(step, pair.compute)
    pair.apply(before, pair.compute)
    assert gather(pair.compute).sources == start.sources


def test_a_repository_that_is_put_back_may_be_no_more_once_packages_are_in_escrow(pair: Pair) -> None:
    start = gather(pair.compute)
    path, text = hosts.SOURCES.format(release="none"), hosts.SOURCE.format(release="none")
    step = SetRepository(path, digest=pair.store.put(text.encode()))
    with pytest.raises(Failure):
        pair.apply(step, pair.compute)
    file = PackageFile("deb", "nova-compute", "all", "1")
    Escrow.beside(pair.store).keep(Kept(file, step.digest, 9, "cmp1", "cache", "name", "2026-01-01T00:00:00.000+00:00"))
    assert step.apply(pair.compute, pair.store) == "its indexes cannot be fetched now"
    assert pair.compute.read(path) == text.encode()
    assert gather(pair.compute).repositories == start.repositories
    with pytest.raises(Failure):
        pair.apply(SetRepository(path, text), pair.compute)
    pair.apply(SetRepository(path), pair.compute)
    assert gather(pair.compute).sources == start.sources


# ---------------------------------------------------------------------- services, files, options, commands


def test_services_stop_and_start_and_boot_as_wanted(pair: Pair) -> None:
    def check() -> None:
        (found,) = (one for one in gather(pair.control).services if one.name == "keystone")
        assert (found.active, found.enabled) == (False, "disabled")

    step = SetServices(
        (ServiceWant("keystone", active=False, enabled=False), ServiceWant("nobody-has-it", active=False))
    )
    pair.done_and_undone(step, pair.control, check)
    gates.ServiceActive("keystone", 20).apply(pair.control, pair.store)


def test_an_option_is_set_and_the_bytes_come_back(pair: Pair) -> None:
    path = "/etc/nova/nova.conf"
    (state,), data = pair.compute.stat((path,)), pair.compute.read(path)

    def check() -> None:
        (now,) = pair.compute.stat((path,))
        assert (now.mode, now.owner, now.group) == (state.mode, state.owner, state.group)
        assert b"compute = havana" in pair.compute.read(path)

    pair.done_and_undone(SetOption(path, "upgrade_levels", "compute", "havana"), pair.compute, check)
    assert pair.compute.read(path) == data
    assert pair.compute.stat((path,)) == (state,)


def test_a_tree_is_restored_to_the_byte(pair: Pair) -> None:
    root = "/srv/contract tree"
    inside = (
        FileState(root, "directory", "0750", "root", "adm"),
        FileState(f"{root}/link", "symlink", "", "root", "root", target="no where"),
        FileState(f"{root}/it's", "file", "0600", "root", "root", pair.store.put(b"\0\xff\n")),
        FileState(f"{root}/sub", "directory", "0700", "root", "root"),
    )
    wanted = RestoreFiles((root,), tuple(sorted(inside, key=lambda one: one.path)))
    pair.done_and_undone(wanted, pair.compute, lambda: None)
    pair.apply(wanted, pair.compute)
    capture = CaptureFiles((root,), "c").observe(pair.compute, pair.store)
    pair.compute.place(FileState(f"{root}/sub", "absent"))
    pair.compute.write(f"{root}/sub", b"now a file")
    pair.compute.write(f"{root}/it's", b"other")
    pair.compute.write(f"{root}/more", b"")
    pair.apply(capture, pair.compute)
    assert pair.compute.tree((root,)) == wanted.entries
    pair.apply(RestoreFiles((root,), ()), pair.compute)
    assert pair.compute.tree((root,)) == ()


def test_a_command_is_undone_by_the_one_it_names(pair: Pair) -> None:
    path = "/srv/contract command"

    def check() -> None:
        assert pair.compute.stat((path,))[0].kind == "file"

    pair.done_and_undone(RunCommand(("touch", "--", path), ("rm", "-f", "--", path)), pair.compute, check)
    assert pair.compute.stat((path,))[0].kind == "absent"
    with pytest.raises(CommandFailed):
        pair.apply(RunCommand(("false",), ("true",)), pair.compute)


# ---------------------------------------------------------------------- databases


def test_a_database_is_dropped_and_comes_back_to_the_row(pair: Pair) -> None:
    def digest() -> list[str]:
        return [one.digest for one in gather(pair.control, ("keystone",)).databases]

    start = digest()
    dump = DumpDatabase("keystone").observe(pair.control, pair.store)
    pair.done_and_undone(RestoreDatabase("keystone", ""), pair.control, lambda: None)
    assert digest() == start
    pair.apply(dump, pair.control)
    assert digest() == start
    assert pair.control.tree(("/var/lib/nornir-upgrade/dumps",))[1:] == ()


def test_a_database_that_is_not_there_cannot_be_dumped(pair: Pair) -> None:
    with pytest.raises(Failure, match="nothing_of_that_name"):
        DumpDatabase("nothing_of_that_name").observe(pair.control, pair.store)


# ---------------------------------------------------------------------- gates

PASSING = (
    gates.ServiceActive("keystone", 20),
    gates.PortOpen(5000, timeout=20),
    gates.DatabaseDumps("keystone"),
    gates.HttpStatus("http://127.0.0.1:5000/", contains=HAVANA, timeout=20),
    gates.AuditClean(),
    gates.CommandSucceeds(("true",)),
)
FAILING = (
    gates.ServiceActive("nobody-has-it", 0),
    gates.PortOpen(9, timeout=0),
    gates.HttpStatus("http://127.0.0.1:9/", timeout=0),
    gates.HttpStatus("http://127.0.0.1:5000/", 404, timeout=0),
    gates.HttpStatus("http://127.0.0.1:5000/", contains="no such words", timeout=0),
    gates.CommandSucceeds(("false",), 0),
    gates.DatabaseDumps("nobody_has_it"),
)


@pytest.mark.parametrize("gate", PASSING, ids=lambda gate: gate.describe())
def test_a_gate_passes_what_is_well(pair: Pair, gate: gates.Gate) -> None:
    gate.apply(pair.control, pair.store)


@pytest.mark.parametrize("gate", FAILING, ids=lambda gate: gate.describe())
def test_a_gate_stops_what_is_not(pair: Pair, gate: gates.Gate) -> None:
    with pytest.raises(GateFailed):
        gate.apply(pair.control, pair.store)

"""The real rpm and dnf 4 on a root of their own: forward and back exactly, and what they refuse."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf
from nornir_upgrade.core.packaging.dnf.family import DNF4
from nornir_upgrade.core.packaging.model import Package, PackageWant, differences, implied
from nornir_upgrade.core.packaging.rpm.query import several
from nornir_upgrade.core.transport.host import Result
from nornir_upgrade.steps.packages import surprises
from tests.core.rpmroot import Built, RpmRoot

pytestmark = pytest.mark.lab

DNF = Dnf()
QUANTUM = "Obsoletes: openstack-quantum < 2014.1\nProvides: openstack-quantum = %{version}-%{release}"
HAVANA = (
    Built("openstack-nova", "2013.2.1-1.el6", "Requires: python-nova = %{version}"),
    Built("python-nova", "2013.2.1-1.el6"),
    Built("openstack-quantum", "2013.2-3.el6", "Requires: python-quantumclient"),
    Built("python-quantumclient", "2.2.5-1.el6"),
    Built("agent", "1.0-1.el6", "Requires: (openstack-quantum if openstack-nova)"),
    Built("libclash", "1.0-1.el6"),
    Built("libvirt", "1.1.3-1.el6", "Epoch: 1"),
)
ICEHOUSE = (
    Built("openstack-nova", "2014.1-1.el7", "Requires: python-nova = %{version}\nConflicts: libclash"),
    Built("python-nova", "2014.1-1.el7", "Requires: python-oslo-messaging"),
    Built("python-oslo-messaging", "1.3.0-1.el7"),
    Built("openstack-neutron", "2014.1-11.el7", f"{QUANTUM}\nRequires: python-neutronclient"),
    Built("python-neutronclient", "2.3.4-1.el7", "Obsoletes: python-quantumclient < 2.3"),
    Built("agent", "2.0-1.el7", "Requires: (openstack-neutron if openstack-nova)"),
    Built(
        "libvirt",
        "1.2.0-1.el7",
        "Epoch: 1",
        "%post -p <lua>\nif posix.stat('/fatal') then posix.kill(posix.getprocessid('pid'), 9) end",
    ),
)


@pytest.fixture
def root(tmp_path: Path) -> RpmRoot:
    """A root with havana's packages installed and icehouse's to be had."""
    made = RpmRoot(tmp_path)
    made.make()
    made.add_repository("havana", HAVANA)
    first = made.run(("dnf", "-y", "install", "openstack-nova", "openstack-quantum", "agent", "libclash", "libvirt"))
    assert first.returncode == 0, first.stderr
    made.add_repository("icehouse", ICEHOUSE)
    return made


def packages(root: RpmRoot) -> tuple[Package, ...]:
    return DNF.parse_query(root.run(DNF.query()).stdout)


def change(root: RpmRoot, want: Sequence[PackageWant], *, downgrade: bool = False) -> None:
    """`want` is reached, and the simulation had said so before."""
    now = packages(root)
    said = root.run(DNF.simulate(want, now, downgrade=downgrade))
    assert said.returncode == 0, said.stdout
    assert surprises(DNF.parse_simulation(said.stdout, now).changes, implied(want, now).changes, want, now) == ()
    assert packages(root) == now, "a simulation changes nothing"
    commit(root, want, now)
    assert differences(want, packages(root)) == ()


def commit(root: RpmRoot, want: Sequence[PackageWant], now: Sequence[Package]) -> None:
    for command in DNF.change(want, now, downgrade=True, wait=1):
        result = root.run(command)
        assert result.returncode == 0, result.stderr


def as_it_was(old: Sequence[Package], now: Sequence[Package]) -> list[PackageWant]:
    names = {one.key for one in old}
    stay = [PackageWant(one.name, one.arch, one.version, "installed", one.auto) for one in old]
    return stay + [PackageWant(one.name, one.arch, "", "absent") for one in now if one.key not in names]


def icehouse() -> list[PackageWant]:
    auto = {"python-nova", "python-oslo-messaging", "python-neutronclient", "libvirt"}
    gone = [
        PackageWant(name, "noarch", "", "absent") for name in ("openstack-quantum", "python-quantumclient", "libclash")
    ]
    versions = {one.name: f"{'1:' * (one.name == 'libvirt')}{one.version}" for one in ICEHOUSE}
    return gone + [
        PackageWant(name, "noarch", version, "installed", name in auto) for name, version in versions.items()
    ]


def test_a_rename_in_the_middle_forward_and_back_exactly(root: RpmRoot) -> None:
    before = packages(root)
    assert {one.name for one in before if one.auto} == {"python-nova", "python-quantumclient"}
    change(root, icehouse())
    single = root.run(("dnf", "-y", "downgrade", "openstack-nova-2013.2.1", "agent-1.0", "libvirt-1:1.1.3"))
    names = {one.name for one in packages(root)}
    assert single.returncode == 0 and "openstack-neutron" in names and "openstack-quantum" not in names, "a mixed state"
    change(root, as_it_was(before, packages(root)), downgrade=True)
    assert packages(root) == before


def test_a_version_that_is_not_to_be_had_stops_everything(root: RpmRoot) -> None:
    before = packages(root)
    want = [
        PackageWant("libvirt", "noarch", "1:1.2.0-1.el7", "installed"),
        PackageWant("agent", "noarch", "9-9", "installed"),
    ]
    for command in (DNF.simulate(want, before, downgrade=False), DNF.change(want, before, downgrade=False, wait=1)[0]):
        result = root.run(command)
        assert result.returncode == 1
        assert 'Cannot find rpm nevra "agent-9-9.noarch"' in result.stdout + result.stderr
    assert packages(root) == before


def test_what_is_not_named_neither_comes_nor_goes(root: RpmRoot) -> None:
    before = packages(root)
    for left_out in ("python-oslo-messaging", "libclash", "python-quantumclient"):
        want = [one for one in icehouse() if one.name != left_out]
        for command in (
            DNF.simulate(want, before, downgrade=False),
            DNF.change(want, before, downgrade=False, wait=1)[0],
        ):
            result = root.run(command)
            assert result.returncode == 1
            assert left_out in result.stdout + result.stderr
    assert packages(root) == before


def test_an_rpm_that_was_killed_leaves_two_versions_and_the_way_back_removes_one(root: RpmRoot) -> None:
    before = packages(root)
    (root.root / "fatal").touch()
    killed = root.run(DNF.change(icehouse(), before, downgrade=False, wait=1)[0])
    assert killed.returncode == 137
    (root.root / "fatal").unlink()
    wreck = packages(root)
    assert "libvirt" in {one.name for one in several(wreck)}
    assert {one.name for one in wreck if one.broken} >= {"libvirt"}
    commit(root, as_it_was(before, wreck), wreck)
    assert packages(root) == before
    assert root.run(("dnf", "check")).returncode == 0


def test_what_a_killed_rpm_left_is_installed_again_on_the_way_forward(root: RpmRoot) -> None:
    (root.root / "fatal").touch()
    root.run(DNF.change(icehouse(), packages(root), downgrade=False, wait=1)[0])
    (root.root / "fatal").unlink()
    wreck = packages(root)
    assert any(line.startswith("libvirt:noarch is installed and needs") for line in differences(icehouse(), wreck))
    change(root, icehouse())
    assert not [one for one in packages(root) if one.broken]
    assert several(packages(root)) == ()


def test_the_older_of_two_versions_gets_its_files_again(root: RpmRoot) -> None:
    """Cut off between the two transactions that this takes, it is still known to be needed."""
    before = packages(root)
    (root.root / "fatal").touch()
    root.run(DNF.change(icehouse(), before, downgrade=False, wait=1)[0])
    (root.root / "fatal").unlink()
    wreck = packages(root)
    first = root.run(DNF.change(as_it_was(before, wreck), wreck, downgrade=True, wait=1)[0])
    assert first.returncode == 0, first.stderr
    halfway = packages(root)
    assert [one.version for one in halfway if one.name == "libvirt" and one.broken] == ["1:1.1.3-1.el6"]
    commit(root, as_it_was(before, halfway), halfway)
    assert packages(root) == before


def test_a_post_that_failed_is_a_failure_though_dnf_ends_well(root: RpmRoot) -> None:
    bad = "%post -p <lua>\nif posix.stat('/bad') then error('no') end"
    root.add_repository("juno", [Built("agent", "3.0-1.el7", scripts=bad)])
    want = [PackageWant("agent", "noarch", "3.0-1.el7", "installed")]
    (root.root / "bad").touch()
    ended = root.run(DNF.change(want, packages(root), downgrade=False, wait=1)[0])
    told = DNF4.transactions.error_in_output(
        "h", Result(ended.returncode, ended.stdout.encode(), ended.stderr.encode())
    )
    assert ended.returncode == 0 and isinstance(told, CommandFailed)
    assert "%post of agent" in told.message
    assert differences(want, packages(root)) == (
        "agent:noarch is installed and needs to be reinstalled, wanted installed",
    )
    (root.root / "bad").unlink()
    change(root, want)
    assert not [one for one in packages(root) if one.broken]


def test_what_dnf_protects_is_refused_before_anything_happens(root: RpmRoot) -> None:
    root.add_repository("base", [Built("vital", "1-1")])
    (root.root / "etc/dnf/protected.d").mkdir(parents=True)
    (root.root / "etc/dnf/protected.d/vital.conf").write_text("vital\n")
    with (root.root / "etc/dnf/dnf.conf").open("a") as configuration:
        configuration.write(f"protected_packages=glob:{root.root}/etc/dnf/protected.d/*.conf\n")
    assert root.run(("dnf", "-y", "install", "vital")).returncode == 0
    before = packages(root)
    gone = [PackageWant("vital", "noarch", "", "absent")]
    for command in (DNF.simulate(gone, before, downgrade=True), DNF.change(gone, before, downgrade=True, wait=1)[0]):
        ended = root.run(command)
        assert ended.returncode == 1
        assert "protected packages: vital" in ended.stdout + ended.stderr
    assert packages(root) == before


def test_reasons_are_dnfs_own(root: RpmRoot) -> None:
    """Read from its history, after all that changes them."""

    def same() -> None:
        told = root.run(("dnf", "-q", "--disablerepo=*", "repoquery", "--userinstalled", "--qf", "%{name}"))
        assert {one.name for one in packages(root) if not one.auto} == set(told.stdout.split())

    same()
    before = packages(root)
    change(root, icehouse())
    same()
    for words in (
        ("mark", "remove", "agent"),
        ("mark", "install", "python-nova"),
        ("remove", "libvirt"),
        ("install", "libvirt-1:1.1.3"),
        ("reinstall", "agent"),
    ):
        assert root.run(("dnf", "-y", *words)).returncode == 0, words
        same()
    change(root, as_it_was(before, packages(root)), downgrade=True)
    assert packages(root) == before
    same()

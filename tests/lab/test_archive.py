"""The two releases as packages and repositories: dpkg-deb and apt of this machine read them, in a root of their own."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.lab.cloud import seeds
from nornir_upgrade.lab.cloud.releases import HAVANA, ICEHOUSE, RELEASES, LabPackage, Release
from nornir_upgrade.lab.deb import archive
from nornir_upgrade.lab.deb.fleet import FLEET, INSTALLED, extra_hosts
from nornir_upgrade.lab.signing import ArchiveKey, archive_key

_BASE = ("python3", "python3-pymysql")


def output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> ArchiveKey:
    return archive_key(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory, key: ArchiveKey) -> Path:
    directory = tmp_path_factory.mktemp("repositories")
    archive.build(directory, key)
    return directory


@dataclass(frozen=True)
class Apt:
    """apt-get over the lab's repositories, with a root and a status file of its own."""

    root: Path
    repositories: Path

    def install_state(self, packages: Iterable[LabPackage]) -> None:
        stanzas = [{"Package": name, "Version": "1", "Architecture": "all"} for name in _BASE]
        stanzas += [dict(archive.control_fields(package)) for package in packages]
        text = "\n".join(
            "".join(f"{field}: {value}\n" for field, value in {**stanza, "Status": "install ok installed"}.items())
            for stanza in stanzas
        )
        (self.root / "status").write_text(text)

    def update(self, *releases: Release) -> subprocess.CompletedProcess[str]:
        lines = (
            f"deb [signed-by={self.root}/key.gpg] copy:{self.repositories}/{release.codename} {release.codename} main\n"
            for release in releases
        )
        (self.root / "sources.list").write_text("".join(lines))
        return self.get("update")

    def get(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = {
            "Dir::State": f"{self.root}/state",
            "Dir::State::status": f"{self.root}/status",
            "Dir::Cache": f"{self.root}/cache",
            "Dir::Etc": f"{self.root}/etc",
            "Dir::Etc::sourcelist": f"{self.root}/sources.list",
            "Dir::Log": f"{self.root}/log",
            "APT::Sandbox::User": "",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
        }
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return subprocess.run(["apt-get", *settings, *arguments], capture_output=True, text=True, check=False)

    def simulate(self, *arguments: str) -> dict[str, str]:
        """Package -> what apt would do (Inst or Remv), and to which version."""
        done = self.get("-s", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = re.findall(r"(?m)^(Inst|Remv) (\S+)(?: \[\S+\])?(?: \((\S+))?", done.stdout)
        return {name: version if action == "Inst" else "removed" for action, name, version in lines}


@pytest.fixture
def apt(tmp_path: Path, repositories: Path, key: ArchiveKey) -> Apt:
    for directory in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/apt.conf.d", "log"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "key.gpg").write_bytes(key.public)
    return Apt(tmp_path, repositories)


def deb(repositories: Path, release: Release, package: LabPackage) -> str:
    return str(repositories / release.codename / archive.pool_path(package))


# --- packages


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.codename)
def test_packages_hold_what_the_data_say(repositories: Path, release: Release, tmp_path: Path) -> None:
    for package in release.packages:
        raw = tmp_path / package.name
        output("dpkg-deb", "--raw-extract", deb(repositories, release, package), str(raw))
        fields = dict(line.split(": ", 1) for line in (raw / "DEBIAN/control").read_text().splitlines())
        assert (fields["Package"], fields["Version"]) == (package.name, package.version)
        for field, wanted in (("Depends", package.depends), ("Breaks", package.breaks), ("Provides", package.provides)):
            assert fields.get(field, "") == ", ".join(wanted)
        named = (raw / "DEBIAN/conffiles").read_text().split() if package.conffiles else []
        assert named == [f"/{path.relative_to(raw)}" for path in sorted(raw.glob("etc/**/*.conf"))]
        for script in package.scripts:
            subprocess.run(["sh", "-n", str(raw / "DEBIAN" / script.name)], check=True)
        for program in raw.glob("usr/bin/*"):
            assert program.stat().st_mode & 0o777 == 0o755
        for source in raw.rglob("*.py"):
            compile(source.read_text(), str(source), "exec")


def test_configuration_belongs_to_root_and_is_not_for_everyone(repositories: Path) -> None:
    listing = output("dpkg-deb", "-c", deb(repositories, HAVANA, HAVANA.package("nova-common")))
    assert re.search(r"^-rw-r----- root/root .* \./etc/nova/nova\.conf$", listing, re.MULTILINE)


def test_the_same_data_makes_the_same_bytes(repositories: Path, key: ArchiveKey, tmp_path: Path) -> None:
    archive.build(tmp_path, key)
    for release in RELEASES:
        for package in release.packages:
            path = archive.pool_path(package)
            assert (tmp_path / release.codename / path).read_bytes() == (
                repositories / release.codename / path
            ).read_bytes()


def test_what_is_built_is_kept_until_the_data_change(key: ArchiveKey, tmp_path: Path) -> None:
    archive.build(tmp_path, key)
    before = (tmp_path / "havana").stat().st_ino
    archive.build(tmp_path, key)
    assert (tmp_path / "havana").stat().st_ino == before
    (tmp_path / "havana" / "digest").write_text("of other data")
    archive.build(tmp_path, key)
    assert (tmp_path / "havana").stat().st_ino != before


def test_conffiles_differ_between_releases() -> None:
    for old, new in zip(HAVANA.projects, ICEHOUSE.projects, strict=True):
        texts = [
            entry.data
            for release, project in ((HAVANA, old), (ICEHOUSE, new))
            for package in release.packages
            for entry in archive.contents(package, release)
            if f"/{entry.path}" == project.conffile
        ]
        assert len(texts) == 2
        assert texts[0] != texts[1]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.codename)
def test_migrations_end_at_the_version_the_daemons_know(release: Release) -> None:
    for project in release.projects:
        entries = archive.contents(release.package(f"python-{project.name}"), release)
        versions = [int(Path(entry.path).name[:3]) for entry in entries if entry.path.endswith(".sql")]
        assert max(versions) == project.schema


# --- repositories


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.codename)
def test_apt_installs_each_package_of_a_release(apt: Apt, release: Release) -> None:
    apt.install_state([])
    assert apt.update(release).returncode == 0
    for package in release.packages:
        done = apt.simulate("install", f"{package.name}={package.version}")
        assert done[package.name] == package.version
    assert "python-nova" in apt.simulate("install", "nova-compute")


def test_the_upgrade_renames_the_network_and_pushes_its_old_client_out(apt: Apt) -> None:
    apt.install_state(package for package in HAVANA.packages)
    assert apt.update(HAVANA, ICEHOUSE).returncode == 0
    done = apt.simulate("dist-upgrade")
    assert {name for name, version in done.items() if version == "removed"} == {"python-quantumclient"}
    assert done.keys() - {package.name for package in HAVANA.packages} == {
        *("python-oslo.messaging", "python-neutronclient", "python-neutron", "neutron-common"),
        *("neutron-server", "neutron-dhcp-agent", "neutron-l3-agent"),
    }
    assert done["quantum-server"] == done["nova-compute"] == ICEHOUSE.version


def test_apt_refuses_a_repository_that_the_key_did_not_sign(apt: Apt, key: ArchiveKey, tmp_path: Path) -> None:
    archive.build(tmp_path / "own", key)
    signed = tmp_path / "own/havana/dists/havana/InRelease"
    signed.write_text(signed.read_text().replace("Label: Lab", "Label: Bad"))
    own = Apt(apt.root, tmp_path / "own")
    own.install_state([])
    done = own.update(HAVANA)
    assert done.returncode != 0
    assert "signature" in done.stderr


def test_the_key_is_made_once_and_is_for_its_owner_only(key: ArchiveKey) -> None:
    assert archive_key(key.home.parent) == key
    assert key.home.stat().st_mode & 0o777 == 0o700


# --- the fleet's data


def test_what_the_fleet_carries_is_in_havana() -> None:
    assert INSTALLED.keys() == {host.name for host in FLEET}
    for names in INSTALLED.values():
        for name in names:
            assert HAVANA.package(name)


def test_every_service_has_a_port_of_its_own() -> None:
    for release in RELEASES:
        ports = [service.port for project in release.projects for service in project.services]
        assert len(set(ports)) == len(ports)


def test_there_is_something_to_lose_in_every_database() -> None:
    for project in HAVANA.projects:
        assert seeds.count(project.database, project.table) >= 12


def test_extra_hosts_stand_beside_the_fleet() -> None:
    assert [host.address for host in extra_hosts(2)] == ["10.99.0.101", "10.99.0.102"]
    assert not {host.number for host in extra_hosts(40)} & {host.number for host in FLEET}
    with pytest.raises(InvalidInput, match="41"):
        extra_hosts(41)

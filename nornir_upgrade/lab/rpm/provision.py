"""Brings the RPM hosts from bare bases to a running Havana, once; after that each lab starts from the frozen result."""

import hashlib
import secrets
from dataclasses import dataclass
from importlib.resources import files

from nornir_upgrade.lab.base import Progress
from nornir_upgrade.lab.databases import Databases, write
from nornir_upgrade.lab.host import CONTROLLER, HTTP_PORT
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.provision import bring_up, on_each
from nornir_upgrade.lab.releases import Project
from nornir_upgrade.lab.signing import ArchiveKey, archive_key

from . import archive
from .fleet import RPM_CONTROL, RPM_FLEET, RPM_HELD, RPM_INSTALLED
from .releases import HAVANA_RPM, RpmRelease

KEY_PATH = f"/etc/pki/rpm-gpg/{archive.KEY_FILE}"
_INGREDIENTS = ("rpm/provision.py", "databases.py", "rpm/fleet.py", "seeds.py")


def repository_path(release: RpmRelease) -> str:
    """Where a host keeps the file that names the release's repository."""
    return f"/etc/yum.repos.d/cloud-{release.codename}.repo"


def repository_file(release: RpmRelease) -> str:
    """What that file says, see dnf.conf(5), "[repository] Options"."""
    lines = (
        f"[cloud-{release.codename}]",
        f"name=Lab Cloud Archive, {release.codename}",
        f"baseurl=http://{CONTROLLER}:{HTTP_PORT}/{archive.DIRECTORY}/{release.codename}/",
        "enabled=1",
        "gpgcheck=1",
        f"gpgkey=file://{KEY_PATH}",
        "metadata_expire=0",
    )
    return "".join(f"{line}\n" for line in lines)


def up(lab: Lab, progress: Progress = lambda _: None) -> None:
    """Afterwards the RPM hosts run Havana with its data, and the lab serves its three releases to them.

    What runs already is left as it is. Raises LabError where the lab's hosts were made by another recipe.
    """
    key = archive_key(lab.cache)
    work = _Provisioning(lab, Databases(lab, RPM_CONTROL, secrets.token_urlsafe(18)), progress)
    bring_up(
        lab,
        RPM_FLEET,
        golden_key(key),
        lambda: archive.build(lab.repositories, lab.cache, key, progress),
        work.run,
        progress,
    )


def golden_key(key: ArchiveKey) -> str:
    """The key that the provisioned hosts are frozen under: 16 hexadecimal digits over everything that goes in."""
    recipe = [files("nornir_upgrade.lab").joinpath(name).read_text() for name in _INGREDIENTS]
    return hashlib.sha256("\0".join([archive.digest(key), *recipe]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Provisioning:
    """One provisioning."""

    lab: Lab
    databases: Databases
    progress: Progress

    def run(self) -> None:
        names = [host.name for host in RPM_FLEET]
        self.progress("databases: making them")
        self.databases.make(HAVANA_RPM.projects)
        self.progress(f"installing {HAVANA_RPM.codename} on {', '.join(names)}")
        on_each(self._install, names)
        self.progress("databases: schemas and rows")
        self.databases.fill(HAVANA_RPM.projects)
        self.progress("starting the services")
        on_each(self._start, names)

    def _install(self, host: str) -> None:
        run = self.lab.run
        public = self.lab.repositories / archive.DIRECTORY / archive.KEY_FILE
        write(self.lab, host, KEY_PATH, public.read_bytes())
        write(self.lab, host, repository_path(HAVANA_RPM), repository_file(HAVANA_RPM).encode())
        wanted = [f"{name}-{HAVANA_RPM.package(name).evr}" for name in RPM_INSTALLED[host]]
        run(host, ["dnf", "-q", "-y", "install", *wanted])
        run(host, ["dnf", "-q", "clean", "packages"])
        for project in self._configured(host):
            self.databases.connect(host, project)
        if host in RPM_HELD:
            run(host, ["dnf", "-q", "versionlock", "add", *RPM_HELD[host]])

    def _start(self, host: str) -> None:
        packages = map(HAVANA_RPM.package, RPM_INSTALLED[host])
        units = [f"{unit}.service" for package in packages for unit in package.units]
        self.lab.run(host, ["systemctl", "enable", "--quiet", "--now", *units])

    def _configured(self, host: str) -> list[Project]:
        owners = {HAVANA_RPM.package(name).owner for name in RPM_INSTALLED[host]}
        return [project for project in HAVANA_RPM.projects if project in owners]

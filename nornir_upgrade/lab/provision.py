"""Brings the fleet from bare bases to a running Havana, once; after that each lab starts from the frozen result."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files

from nornir_upgrade.lab.deb.fleet import CONTROL, FLEET, HELD, INSTALLED

from .base import Progress
from .databases import Databases, write
from .deb import archive, dists
from .errors import LabError
from .host import CONTROLLER, HTTP_PORT, LabHost
from .lab import Lab
from .releases import HAVANA, Project, Release
from .signing import ArchiveKey, archive_key

KEYRING = "/usr/share/keyrings/lab-archive.gpg"
_INGREDIENTS = ("provision.py", "databases.py", "deb/fleet.py", "seeds.py")
SOURCES = "/etc/apt/sources.list.d/cloud-havana.list"


def source_line(release: Release) -> str:
    """The one line of sources.list(5) that names a release's repository, without its newline."""
    url = f"http://{CONTROLLER}:{HTTP_PORT}/{release.codename}"
    return f"deb [signed-by={KEYRING}] {url} {release.codename} {dists.COMPONENT}"


def up(lab: Lab, progress: Progress = lambda _: None) -> None:
    """Afterwards the fleet runs Havana with its data, and the lab serves both releases.

    What runs already is left as it is. Raises LabError where the lab's fleet was made by another recipe.
    """
    key = archive_key(lab.cache)
    work = _Provisioning(lab, key, Databases(lab, CONTROL, secrets.token_urlsafe(18)), progress)
    bring_up(lab, FLEET, golden_key(key), lambda: archive.build(lab.repositories, key), work.run, progress)


def bring_up(
    lab: Lab,
    hosts: Sequence[LabHost],
    golden: str,
    serve: Callable[[], None],
    provision: Callable[[], None],
    progress: Progress,
) -> None:
    """Afterwards the hosts run as `provision` leaves bare ones, kept under the key `golden`; `serve` was done before.

    What runs already is left as it is. Raises LabError where the hosts were made by another recipe.
    """
    names = [host.name for host in hosts]
    found = any(status.name in names for status in lab.status())
    lab.up(hosts, golden=golden if lab.frozen(golden, hosts) else None)
    serve()
    kept = {status.golden for status in lab.status() if status.name in names}
    if kept == {golden}:
        return
    if kept != {None}:
        raise LabError("the lab's fleet was made by another version", hint="nornir-upgrade lab down, then lab up")
    if found:
        lab.reset(*names)  # an interrupted provisioning left them half done
    provision()
    progress("keeping the fleet for the next time")
    lab.freeze(golden, names)


def golden_key(key: ArchiveKey) -> str:
    """The key that the provisioned fleet is frozen under: 16 hexadecimal digits over everything that goes in."""
    recipe = [files("nornir_upgrade.lab").joinpath(name).read_text() for name in _INGREDIENTS]
    return hashlib.sha256("\0".join([archive.digest(key), *recipe]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Provisioning:
    """One provisioning."""

    lab: Lab
    key: ArchiveKey
    databases: Databases
    progress: Progress

    def run(self) -> None:
        names = [host.name for host in FLEET]
        self.progress("databases: making them")
        self.databases.make(HAVANA.projects)
        self.progress(f"installing {HAVANA.codename} on {', '.join(names)}")
        on_each(self._install, names)
        self.progress("databases: schemas and rows")
        self.databases.fill(HAVANA.projects)
        self.progress("starting the services")
        on_each(self._start, names)

    def _install(self, host: str) -> None:
        run = self.lab.run
        write(self.lab, host, KEYRING, self.key.public)
        write(self.lab, host, SOURCES, f"{source_line(HAVANA)}\n".encode())
        run(host, ["apt-get", "-qq", "update"])
        wanted = [f"{name}={HAVANA.package(name).version}" for name in INSTALLED[host]]
        run(host, ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install", *wanted])
        run(host, ["apt-get", "clean"])
        for project in self._configured(host):
            self.databases.connect(host, project)
        if host in HELD:
            run(host, ["apt-mark", "hold", *HELD[host]])

    def _start(self, host: str) -> None:
        units = [f"{name}.service" for name in INSTALLED[host] if HAVANA.package(name).unit]
        self.lab.run(host, ["systemctl", "restart", *units])

    def _configured(self, host: str) -> list[Project]:
        owners = {HAVANA.package(name).owner for name in INSTALLED[host]}
        return [project for project in HAVANA.projects if project in owners]


def on_each(work: Callable[[str], None], hosts: list[str]) -> None:
    """Afterwards `work` was done for each host, for all at once."""
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        for _ in pool.map(work, hosts):
            pass

"""Brings the fleet from bare bases to a running Havana, once; after that each lab starts from the frozen result."""

import hashlib
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files

from nornir_upgrade.lab import archive, dists, seeds
from nornir_upgrade.lab.base import Progress
from nornir_upgrade.lab.errors import LabError
from nornir_upgrade.lab.fleet import CONTROL, FLEET, HELD, INSTALLED
from nornir_upgrade.lab.host import CONTROLLER, HTTP_PORT, NETWORK
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.releases import HAVANA, Project, Release
from nornir_upgrade.lab.signing import ArchiveKey, archive_key

KEYRING = "/usr/share/keyrings/lab-archive.gpg"
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
    golden, found = golden_key(key), lab.status()
    lab.up(FLEET, golden=golden if lab.frozen(golden, FLEET) else None)
    archive.build(lab.repositories, key)
    names = [host.name for host in FLEET]
    kept = {status.golden for status in lab.status() if status.name in names}
    if kept == {golden}:
        return
    if kept != {None}:
        raise LabError("the lab's fleet was made by another version", hint="nornir-upgrade lab down, then lab up")
    if found:
        lab.reset(*names)  # an interrupted provisioning left them half done
    _Provisioning(lab, key, secrets.token_urlsafe(18), progress).run()
    progress("keeping the fleet for the next time")
    lab.freeze(golden, names)


def golden_key(key: ArchiveKey) -> str:
    """The key that the provisioned fleet is frozen under: 16 hexadecimal digits over everything that goes in."""
    recipe = [
        files("nornir_upgrade.lab").joinpath(name).read_text() for name in ("provision.py", "fleet.py", "seeds.py")
    ]
    return hashlib.sha256("\0".join([archive.digest(key), *recipe]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Provisioning:
    """One provisioning. `password` is of all database users; it travels on standard input only."""

    lab: Lab
    key: ArchiveKey
    password: str
    progress: Progress

    def run(self) -> None:
        names = [host.name for host in FLEET]
        self.progress("databases: making them")
        self._make_databases()
        self.progress(f"installing {HAVANA.codename} on {', '.join(names)}")
        _each(self._install, names)
        self.progress("databases: schemas and rows")
        for project in HAVANA.projects:
            self.lab.run(CONTROL.name, [project.manage, *project.sync])
            self._sql(seeds.statements(project.database), project.database)
        self.progress("starting the services")
        _each(self._start, names)

    def _make_databases(self) -> None:
        for project in HAVANA.projects:
            name = project.database
            self._sql(
                f"CREATE DATABASE `{name}`;\n"
                f"CREATE USER `{name}`@`{NETWORK}.%` IDENTIFIED BY '{self.password}';\n"
                f"GRANT ALL ON `{name}`.* TO `{name}`@`{NETWORK}.%`;\n"
            )

    def _install(self, host: str) -> None:
        run = self.lab.run
        _write(self.lab, host, KEYRING, self.key.public)
        _write(self.lab, host, SOURCES, f"{source_line(HAVANA)}\n".encode())
        run(host, ["apt-get", "-qq", "update"])
        wanted = [f"{name}={HAVANA.package(name).version}" for name in INSTALLED[host]]
        run(host, ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install", *wanted])
        run(host, ["apt-get", "clean"])
        for project in self._configured(host):
            text = run(host, ["cat", project.conffile]).stdout.decode()
            _write(self.lab, host, project.conffile, connected(text, self._connection(project)).encode())
        if host in HELD:
            run(host, ["apt-mark", "hold", *HELD[host]])

    def _start(self, host: str) -> None:
        units = [f"{name}.service" for name in INSTALLED[host] if HAVANA.package(name).unit]
        self.lab.run(host, ["systemctl", "restart", *units])

    def _configured(self, host: str) -> list[Project]:
        owners = {HAVANA.package(name).owner for name in INSTALLED[host]}
        return [project for project in HAVANA.projects if project in owners]

    def _connection(self, project: Project) -> str:
        return f"mysql://{project.database}:{self.password}@{CONTROL.address}/{project.database}"

    def _sql(self, text: str, database: str = "mysql") -> None:
        self.lab.run(CONTROL.name, ["mariadb", database], text.encode())


def connected(conffile: str, connection: str) -> str:
    """The text of a conffile with this `connection` in place of the shipped one; LabError where there is not just one."""
    text, replaced = re.subn(r"(?m)^connection = .*$", lambda _: f"connection = {connection}", conffile)
    if replaced != 1:
        raise LabError(f"a conffile has {replaced} lines `connection = …`, not one")
    return text


def _write(lab: Lab, host: str, path: str, data: bytes) -> None:
    """In place, so that mode and owner of a file that exists stay; a new one is readable by all, as apt's sandbox needs."""
    lab.run(host, ["sh", "-c", 'umask 022; cat > "$1"', "sh", path], data)


def _each(work: Callable[[str], None], hosts: list[str]) -> None:
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        for _ in pool.map(work, hosts):
            pass

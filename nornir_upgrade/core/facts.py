"""What is true of a host: gathered in one round trip, read-only."""

from dataclasses import dataclass

from .packages import Package


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """/etc/os-release and the kernel. `family` is `deb` or `rpm`; `arch` the package manager's native architecture."""

    id: str
    version: str
    codename: str
    family: str
    arch: str
    kernel: str
    machine_id: str


@dataclass(frozen=True, slots=True)
class Conffile:
    """A configuration file that a package owns. `digest` is the SHA-256 of what stands there ('' where nothing does)."""

    path: str
    package: str
    digest: str
    obsolete: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A systemd service unit. `active`: it runs; `enabled`: systemctl is-enabled's word."""

    name: str
    active: bool
    enabled: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file that says where packages come from: sources, preferences, keyrings. `digest` is its SHA-256."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Repository:
    """One index that the package manager reads, as `apt-cache policy` lists it."""

    priority: int
    uri: str
    suite: str
    component: str
    arch: str
    origin: str = ""
    label: str = ""
    codename: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """A database on a host. `digest` is the SHA-256 of its logical content (a dump without dates)."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All that is true of one host at `taken_at` (UTC, ISO 8601, the controller's clock). Every tuple is sorted."""

    host: str
    taken_at: str
    os: OperatingSystem
    packages: tuple[Package, ...]
    conffiles: tuple[Conffile, ...]
    services: tuple[Service, ...]
    sources: tuple[Source, ...]
    repositories: tuple[Repository, ...]
    databases: tuple[Database, ...] = ()

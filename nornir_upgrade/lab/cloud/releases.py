"""The lab's two releases, as data: which projects there are, and which packages a distribution would make of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LabService:
    """A daemon: the name of its package, unit and program, and its TCP port."""

    name: str
    port: int
    schema_bound: bool = True
    """Whether it starts on its own release's schema only. nova-compute does not: its conductor stands between."""


@dataclass(frozen=True, slots=True)
class Project:
    """One OpenStack project as a release has it. `name` is its Python module and its directory below /etc."""

    name: str
    database: str
    table: str
    """The table whose rows the daemons count."""
    schema: int
    conffile: str
    services: tuple[LabService, ...]
    manage: str
    """The command that migrates the schema."""
    sync: tuple[str, ...]
    """Its arguments that bring the schema up to date."""
    show: tuple[str, ...]
    """Its arguments that print the schema's version."""

    def service(self, name: str) -> LabService:
        """The service of that name; KeyError where it has none."""
        return {service.name: service for service in self.services}[name]


@dataclass(frozen=True, slots=True)
class Script:
    """A maintainer script, such as postinst, and the pieces in data/scripts that it is put together from."""

    name: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabPackage:
    """A binary package: control fields (Debian policy 5.3 and 7), and what it holds."""

    name: str
    version: str
    summary: str
    depends: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    conffiles: tuple[str, ...] = ()
    library: Project | None = None
    """Holds the Python code and the migrations of this project."""
    module: str = ""
    """Holds a Python module that knows its version, and no more."""
    command: Project | None = None
    """Holds the command that migrates this project's schema."""
    unit: LabService | None = None
    """Holds the program and the systemd unit of this service."""
    owner: Project | None = None
    """The project that `unit` is of."""
    scripts: tuple[Script, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """A release: `version` of every package but the clients; `date` in seconds since the epoch, of all its files."""

    codename: str
    version: str
    date: int
    rpc: tuple[str, ...]
    """The levels its nova-compute understands."""
    projects: tuple[Project, ...]
    packages: tuple[LabPackage, ...]

    def package(self, name: str) -> LabPackage:
        """The package of that name; KeyError where the release has none."""
        return {package.name: package for package in self.packages}[name]

    def project(self, name: str) -> Project:
        """The project of that name, or of that database; KeyError where the release has none."""
        named = {project.database: project for project in self.projects}
        return (named | {project.name: project for project in self.projects})[name]

    def service(self, name: str) -> LabService:
        """The service of that name; KeyError where the release has none."""
        return {service.name: service for project in self.projects for service in project.services}[name]


_POSTINST = (Script("postinst", ("fault.sh",)),)
_SERVICE = (
    Script("postinst", ("fault.sh", "service-postinst.sh")),
    Script("prerm", ("service-prerm.sh",)),
    Script("postrm", ("service-postrm.sh",)),
)
_BOUNDARY = "1:2014.1~"
"""Packages of the old names are below it, the transitional ones above."""


def _library(project: Project, version: str, *more: str) -> LabPackage:
    depends = ("python3", "python3-pymysql", *more)
    summary = f"{project.name}, Python library"
    return LabPackage(f"python-{project.name}", version, summary, depends, library=project, scripts=_POSTINST)


def _common(project: Project, version: str, *conffiles: str) -> LabPackage:
    """What a project's services share: configuration, and the command for the schema."""
    return LabPackage(
        f"{project.name}-common",
        version,
        f"{project.name}, configuration and tools",
        (f"python-{project.name} (= {version})",),
        conffiles=(project.conffile, *conffiles),
        command=project,
        scripts=_POSTINST,
    )


def _services(project: Project, version: str) -> tuple[LabPackage, ...]:
    return tuple(
        LabPackage(
            service.name,
            version,
            f"{project.name}, service {service.name}",
            (f"{project.name}-common (= {version})",),
            unit=service,
            owner=project,
            scripts=_SERVICE,
        )
        for service in project.services
    )


def _keystone(project: Project, version: str, *conffiles: str) -> LabPackage:
    """Keystone has no -common: the service's package owns the configuration."""
    return LabPackage(
        "keystone",
        version,
        "keystone, service and tools",
        (f"python-keystone (= {version})",),
        conffiles=(project.conffile, *conffiles),
        command=project,
        unit=project.services[0],
        owner=project,
        scripts=_SERVICE,
    )


def _client(project: str, version: str) -> LabPackage:
    summary = f"{project}, client library"
    return LabPackage(
        f"python-{project}client", version, summary, ("python3",), module=f"{project}client", scripts=_POSTINST
    )


def _projects(network: str, schemas: Mapping[str, int]) -> tuple[Project, ...]:
    """All projects; `network` is what the network project is called, `schemas` says which version each database has."""
    return (
        Project(
            name="keystone",
            database="keystone",
            table="users",
            schema=schemas["keystone"],
            conffile="/etc/keystone/keystone.conf",
            services=(LabService("keystone", 5000),),
            manage="keystone-manage",
            sync=("db_sync",),
            show=("db_version",),
        ),
        Project(
            name="glance",
            database="glance",
            table="images",
            schema=schemas["glance"],
            conffile="/etc/glance/glance-api.conf",
            services=(LabService("glance-api", 9292),),
            manage="glance-manage",
            sync=("db_sync",),
            show=("db_version",),
        ),
        Project(
            name="nova",
            database="nova",
            table="instances",
            schema=schemas["nova"],
            conffile="/etc/nova/nova.conf",
            services=(
                LabService("nova-api", 8774),
                LabService("nova-conductor", 18001),
                LabService("nova-scheduler", 18002),
                LabService("nova-compute", 18003, schema_bound=False),
            ),
            manage="nova-manage",
            sync=("db", "sync"),
            show=("db", "version"),
        ),
        Project(
            name=network,
            database="quantum",
            table="networks",
            schema=schemas["quantum"],
            conffile=f"/etc/{network}/{network}.conf",
            services=(
                LabService(f"{network}-server", 9696),
                LabService(f"{network}-dhcp-agent", 18004),
                LabService(f"{network}-l3-agent", 18005),
            ),
            manage=f"{network}-db-manage",
            sync=("upgrade", "head"),
            show=("current",),
        ),
        Project(
            name="cinder",
            database="cinder",
            table="volumes",
            schema=schemas["cinder"],
            conffile="/etc/cinder/cinder.conf",
            services=(LabService("cinder-api", 8776), LabService("cinder-volume", 18006)),
            manage="cinder-manage",
            sync=("db", "sync"),
            show=("db", "version"),
        ),
    )


def _havana() -> Release:
    version = "1:2013.2-0ubuntu1~cloud0"
    projects = _projects("quantum", {"keystone": 34, "glance": 22, "nova": 216, "quantum": 1, "cinder": 9})
    keystone, glance, nova, quantum, cinder = projects
    packages = (
        *(_library(keystone, version), _keystone(keystone, version), _client("keystone", "1:0.3.2-0ubuntu1~cloud0")),
        *(_library(glance, version), _common(glance, version), *_services(glance, version)),
        _client("glance", "1:0.9.0-0ubuntu1.2~cloud0"),
        *(_library(nova, version), _common(nova, version), *_services(nova, version)),
        _client("nova", "1:2.15.0-0ubuntu1~cloud0"),
        *(_library(quantum, version, "python-quantumclient"), _common(quantum, version), *_services(quantum, version)),
        _client("quantum", "1:2.3.0-0ubuntu1~cloud0"),
        *(_library(cinder, version), _common(cinder, version), *_services(cinder, version)),
        _client("cinder", "1:1.0.6-0ubuntu1~cloud0"),
    )
    return Release("havana", version, 1381968000, ("havana",), projects, packages)


def _icehouse() -> Release:
    version = "1:2014.1-0ubuntu1~cloud0"
    projects = _projects("neutron", {"keystone": 44, "glance": 34, "nova": 233, "quantum": 2, "cinder": 22})
    keystone, glance, nova, neutron, cinder = projects
    messaging = LabPackage(
        "python-oslo.messaging",
        "1.3.0-0ubuntu1~cloud0",
        "oslo messaging, Python library",
        ("python3",),
        module="oslo_messaging",
        scripts=_POSTINST,
    )
    packages = (
        *(_library(keystone, version), _keystone(keystone, version, "/etc/keystone/release.conf")),
        _client("keystone", "1:0.7.1-0ubuntu1~cloud0"),
        *(_library(glance, version), _common(glance, version, "/etc/glance/release.conf"), *_services(glance, version)),
        _client("glance", "1:0.12.0-0ubuntu1~cloud0"),
        *(_library(nova, version, "python-oslo.messaging"), messaging),
        *(_common(nova, version, "/etc/nova/release.conf"), *_services(nova, version)),
        _client("nova", "1:2.17.0-0ubuntu1~cloud0"),
        *_renamed(neutron, version),
        *(_library(cinder, version), _common(cinder, version, "/etc/cinder/release.conf"), *_services(cinder, version)),
        _client("cinder", "1:1.0.8-0ubuntu1~cloud0"),
    )
    return Release("icehouse", version, 1397692800, ("havana", "icehouse"), projects, packages)


def _renamed(neutron: Project, version: str) -> tuple[LabPackage, ...]:
    """Quantum under its new name, and the transitional packages (developer's reference 6.7.7) that lead there.

    The client has none: what depends on it draws in the new one, and that pushes the old one out.
    """
    plain = (
        _library(neutron, version, "python-neutronclient"),
        _common(neutron, version, "/etc/neutron/release.conf"),
        *_services(neutron, version),
    )
    client = _client("neutron", "1:2.3.4-0ubuntu1~cloud0")
    pushes_out = ("python-quantumclient",)
    return (
        *(_replacing_quantum(package) for package in plain),
        replace(client, conflicts=pushes_out, replaces=pushes_out, provides=pushes_out),
        *(_transitional(package) for package in plain),
    )


def _old_name(package: LabPackage) -> str:
    return package.name.replace("neutron", "quantum")


def _replacing_quantum(package: LabPackage) -> LabPackage:
    old = (f"{_old_name(package)} (<< {_BOUNDARY})",)
    scripts = package.scripts
    if package.unit:
        scripts += (Script("preinst", ("neutron-service-preinst.sh",)),)
    elif package.command:
        scripts += (Script("preinst", ("neutron-common-preinst.sh",)),)
    return replace(package, breaks=old, replaces=old, scripts=scripts)


def _transitional(package: LabPackage) -> LabPackage:
    scripts = (Script("postinst", ("fault.sh", "transitional-postinst.sh")),) if package.unit else _POSTINST
    return LabPackage(
        _old_name(package),
        package.version,
        f"transitional package for {package.name}",
        (f"{package.name} (= {package.version})",),
        scripts=scripts,
    )


HAVANA = _havana()
ICEHOUSE = _icehouse()
RELEASES: tuple[Release, ...] = (HAVANA, ICEHOUSE)

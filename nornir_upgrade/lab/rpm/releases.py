"""The lab's releases as RPM packages, as data: the projects are those of `lab.releases`, cut into packages as RDO cut them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nornir_upgrade.lab.releases import HAVANA, ICEHOUSE, Project, Service

_PYTHON = ("/usr/bin/python3", "python3-PyMySQL")
_RENAMED_AT = "2014.1"
"""Quantum's packages are below it, Neutron's are not."""


@dataclass(frozen=True, slots=True)
class RpmPackage:
    """A package: its header (https://rpm.org, "Spec file format"), and what it holds."""

    name: str
    evr: str
    """[epoch:]version-release."""
    summary: str
    arch: str = "noarch"
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()
    conffiles: tuple[str, ...] = ()
    """Each is %config(noreplace)."""
    library: Project | None = None
    """Holds the Python code and the migrations of this project."""
    module: str = ""
    """Holds a Python module that knows its version, and no more."""
    owner: Project | None = None
    """The project of `services`, and of the conffile."""
    command: bool = False
    """Holds the command that migrates its owner's schema."""
    services: tuple[Service, ...] = ()
    """Holds the programs and the systemd units of these."""
    kernel: bool = False
    """May be installed in several versions at once, and holds a directory of modules."""
    takes_over: str = ""
    """The conffile of another name that its first installation starts from."""

    @property
    def version(self) -> str:
        """Without epoch and release."""
        return self.evr.rpartition(":")[2].partition("-")[0]

    @property
    def units(self) -> tuple[str, ...]:
        """What systemd calls its services, without `.service`."""
        return tuple(map(unit_name, self.services))


@dataclass(frozen=True, slots=True)
class RpmRelease:
    """A release: `version` is version-release of every package but clients, libraries of others and the kernel."""

    codename: str
    version: str
    date: int
    rpc: tuple[str, ...]
    """The levels its nova-compute understands."""
    projects: tuple[Project, ...]
    packages: tuple[RpmPackage, ...]

    def package(self, name: str) -> RpmPackage:
        """The package of that name; KeyError where the release has none."""
        return {package.name: package for package in self.packages}[name]


def unit_name(service: Service) -> str:
    """RDO's name of a unit: the program's, with a prefix for all projects but the network's."""
    own = service.name.startswith(("quantum", "neutron"))
    return service.name if own else f"openstack-{service.name}"


def _library(project: Project, version: str, *more: str) -> RpmPackage:
    summary = f"{project.name}, Python library"
    return RpmPackage(f"python-{project.name}", version, summary, requires=(*_PYTHON, *more), library=project)


def _main(project: Project, version: str, *, suffix: str = "", services: tuple[Service, ...] = ()) -> RpmPackage:
    """What holds the project's configuration and tools, and these services; from Icehouse on a second conffile."""
    release_file = (f"/etc/{project.name}/release.conf",) if version >= _RENAMED_AT else ()
    return RpmPackage(
        f"openstack-{project.name}{suffix}",
        version,
        f"{project.name}, configuration and tools",
        requires=(f"python-{project.name} = {version}",),
        conffiles=(project.conffile, *release_file),
        owner=project,
        command=True,
        services=services,
    )


def _all_in_one(project: Project, version: str) -> tuple[RpmPackage, ...]:
    return (_library(project, version), _main(project, version, services=project.services))


def _nova(project: Project, version: str, *more: str) -> tuple[RpmPackage, ...]:
    """One package a service. Where the API stands beside a conductor, both are of one build: a rich dependency."""
    beside = f"(openstack-nova-api = {version} if openstack-nova-api)"
    services = (
        RpmPackage(
            f"openstack-{service.name}",
            version,
            f"nova, service {service.name}",
            requires=(
                f"openstack-nova-common = {version}",
                *((beside,) if service.name == "nova-conductor" else ()),
            ),
            owner=project,
            services=(service,),
        )
        for service in project.services
    )
    return (_library(project, version, *more), _main(project, version, suffix="-common"), *services)


def _quantum(project: Project, version: str) -> tuple[RpmPackage, ...]:
    return (_library(project, version, "python-quantumclient"), _main(project, version, services=project.services))


def _neutron(project: Project, version: str, client: str) -> tuple[RpmPackage, ...]:
    """Quantum under its new name. Two packages provide the old one; the client does not, and who required it must follow."""
    library = _library(project, version, "python-neutronclient")
    main = replace(
        _main(project, version, services=project.services),
        takes_over="/etc/quantum/quantum.conf",
    )
    return (
        *(
            replace(
                package,
                provides=(f"{_old_name(package)} = {version}",),
                obsoletes=(f"{_old_name(package)} < {_RENAMED_AT}",),
            )
            for package in (library, main)
        ),
        replace(_client("neutron", client), obsoletes=("python-quantumclient < 2.3.4",)),
    )


def _old_name(package: RpmPackage) -> str:
    return package.name.replace("neutron", "quantum")


def _client(project: str, evr: str) -> RpmPackage:
    summary = f"{project}, client library"
    return RpmPackage(f"python-{project}client", evr, summary, requires=_PYTHON[:1], module=f"{project}client")


def _clients(evrs: Mapping[str, str]) -> tuple[RpmPackage, ...]:
    return tuple(_client(project, evr) for project, evr in evrs.items())


def _messaging(evr: str) -> RpmPackage:
    summary = "oslo messaging, Python library"
    return RpmPackage("python-oslo-messaging", evr, summary, requires=_PYTHON[:1], module="oslo_messaging")


def _kernel(evr: str) -> RpmPackage:
    summary = "The kernel's modules"
    full = f"{evr}.x86_64"
    provides = ("installonlypkg(kernel)", f"kernel-core-uname-r = {full}")
    return RpmPackage("kernel-core", evr, summary, arch="x86_64", provides=provides, kernel=True)


def _havana() -> RpmRelease:
    version, projects = "2013.2-2.el7", HAVANA.projects
    keystone, glance, nova, quantum, cinder = projects
    packages = (
        *(*_all_in_one(keystone, version), *_all_in_one(glance, version), *_all_in_one(cinder, version)),
        *(*_nova(nova, version), *_quantum(quantum, version)),
        *_clients({"keystone": "1:0.3.2-1.el7", "glance": "1:0.9.0-1.el7", "nova": "1:2.15.0-1.el7"}),
        *_clients({"quantum": "2.3.0-1.el7", "cinder": "1.0.6-1.el7"}),
        _kernel("5.14.0-70.13.1.el9"),
    )
    return RpmRelease("havana", version, HAVANA.date, HAVANA.rpc, projects, packages)


def _icehouse() -> RpmRelease:
    version, projects = "2014.1-2.el7", ICEHOUSE.projects
    keystone, glance, nova, neutron, cinder = projects
    packages = (
        *(*_all_in_one(keystone, version), *_all_in_one(glance, version), *_all_in_one(cinder, version)),
        *_nova(nova, version, "(python-oslo-messaging >= 1.3 with python-oslo-messaging < 1.4)"),
        *_neutron(neutron, version, "2.3.4-1.el7"),
        *_clients({"keystone": "1:0.7.1-1.el7", "glance": "1:0.12.0-1.el7", "nova": "1:2.17.0-1.el7"}),
        *_clients({"cinder": "1.0.8-1.el7"}),
        _messaging("1.3.0-2.el7"),
        _kernel("5.14.0-162.6.1.el9"),
    )
    return RpmRelease("icehouse", version, ICEHOUSE.date, ICEHOUSE.rpc, projects, packages)


def _juno() -> RpmRelease:
    version, schemas = "2014.2-1.el7", {"keystone": 55}
    projects = tuple(
        replace(project, schema=schemas.get(project.database, project.schema)) for project in ICEHOUSE.projects
    )
    keystone, glance, nova, neutron, cinder = projects
    packages = (
        *(*_all_in_one(keystone, version), *_all_in_one(glance, version), *_all_in_one(cinder, version)),
        *_nova(nova, version, "(python-oslo-messaging >= 1.4 with python-oslo-messaging < 1.5)"),
        *_neutron(neutron, version, "2.3.9-1.el7"),
        *_clients({"keystone": "1:0.11.1-1.el7", "glance": "1:0.14.1-1.el7", "nova": "1:2.20.0-1.el7"}),
        *_clients({"cinder": "1.1.1-1.el7"}),
        _messaging("1.4.1-2.el7"),
    )
    return RpmRelease("juno", version, 1413417600, ("icehouse", "juno"), projects, packages)


HAVANA_RPM = _havana()
ICEHOUSE_RPM = _icehouse()
JUNO_RPM = _juno()
RPM_RELEASES: tuple[RpmRelease, ...] = (HAVANA_RPM, ICEHOUSE_RPM, JUNO_RPM)

"""The two releases that fake hosts know: the names, versions and relations of the lab's repositories, as data."""

from dataclasses import dataclass
from functools import cache

from debian.debian_support import version_compare

HAVANA, ICEHOUSE = "1:2013.2-0ubuntu1~cloud0", "1:2014.1-0ubuntu1~cloud0"
VERSIONS = {"havana": HAVANA, "icehouse": ICEHOUSE}


@dataclass(frozen=True, slots=True)
class Relation:
    """`name (operator version)`; both are empty where any version will do."""

    name: str
    operator: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One package in an index. `conffiles`: (path, bytes); `units` are started by its postinst."""

    name: str
    version: str
    release: str
    depends: tuple[Relation, ...] = ()
    breaks: tuple[Relation, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    provides: tuple[str, ...] = ()
    conffiles: tuple[tuple[str, bytes], ...] = ()
    units: tuple[str, ...] = ()
    arch: str = "all"


@dataclass(frozen=True, slots=True)
class Project:
    """One OpenStack project in one release: what its packages are built from."""

    name: str
    common: str
    daemons: tuple[str, ...]
    conffile: str
    client_version: str
    database: str

    @property
    def configuration(self) -> str:
        """The path of its conffile."""
        return f"/etc/{self.name}/{self.conffile}"


# The client's version is no function of the release; `quantum` is `neutron` in icehouse, and keeps its database's name.
_NOVA = ("nova-api", "nova-conductor", "nova-scheduler", "nova-compute")
_NETWORK = ("server", "dhcp-agent", "l3-agent")


def _projects(network: str, clients: tuple[str, str, str, str, str]) -> tuple[Project, ...]:
    """The five projects of a release: what networking is called in it, and the versions of the clients."""
    keystone, glance, nova, quantum, cinder = clients
    return (
        Project("keystone", "", ("keystone",), "keystone.conf", keystone, "keystone"),
        Project("glance", "glance-common", ("glance-api",), "glance-api.conf", glance, "glance"),
        Project("nova", "nova-common", _NOVA, "nova.conf", nova, "nova"),
        Project(
            network,
            f"{network}-common",
            tuple(f"{network}-{one}" for one in _NETWORK),
            f"{network}.conf",
            quantum,
            "quantum",
        ),
        Project("cinder", "cinder-common", ("cinder-api", "cinder-volume"), "cinder.conf", cinder, "cinder"),
    )


# Networking is renamed in icehouse, and keeps its database's name.
PROJECTS: dict[str, tuple[Project, ...]] = {
    "havana": _projects(
        "quantum",
        (
            "1:0.3.2-0ubuntu1~cloud0",
            "1:0.9.0-0ubuntu1.2~cloud0",
            "1:2.15.0-0ubuntu1~cloud0",
            "1:2.3.0-0ubuntu1~cloud0",
            "1:1.0.6-0ubuntu1~cloud0",
        ),
    ),
    "icehouse": _projects(
        "neutron",
        (
            "1:0.7.1-0ubuntu1~cloud0",
            "1:0.12.0-0ubuntu1~cloud0",
            "1:2.17.0-0ubuntu1~cloud0",
            "1:2.3.4-0ubuntu1~cloud0",
            "1:1.0.8-0ubuntu1~cloud0",
        ),
    ),
}
RENAMED = {"python-quantum": "python-neutron"} | {
    f"quantum-{part}": f"neutron-{part}" for part in ("common", "server", "dhcp-agent", "l3-agent")
}
SCHEMAS = {
    "havana": {"keystone": 34, "glance": 22, "nova": 216, "quantum": 1, "cinder": 9},
    "icehouse": {"keystone": 44, "glance": 34, "nova": 233, "quantum": 2, "cinder": 22},
}
MIGRATIONS = {  # the command that migrates -> the database
    ("keystone-manage", "db_sync"): "keystone",
    ("glance-manage", "db_sync"): "glance",
    ("nova-manage", "db", "sync"): "nova",
    ("quantum-db-manage", "upgrade", "head"): "quantum",
    ("neutron-db-manage", "upgrade", "head"): "quantum",
    ("cinder-manage", "db", "sync"): "cinder",
}
PORTS = {
    "keystone": 5000,
    "glance-api": 9292,
    "nova-api": 8774,
    "nova-conductor": 18001,
    "nova-scheduler": 18002,
    "nova-compute": 18003,
    "quantum-server": 9696,
    "neutron-server": 9696,
    "quantum-dhcp-agent": 18004,
    "neutron-dhcp-agent": 18004,
    "quantum-l3-agent": 18005,
    "neutron-l3-agent": 18005,
    "cinder-api": 8776,
    "cinder-volume": 18006,
}
BASE = (
    ("bash", "5.2.15-2+b7", "amd64"),
    ("curl", "7.88.1-10+deb12u12", "amd64"),
    ("dpkg", "1.21.22", "amd64"),
    ("less", "590-2.1~deb12u2", "amd64"),
)


@cache
def offers(release: str) -> dict[str, Offer]:
    """The index of a release: name -> offer."""
    found = {offer.name: offer for project in PROJECTS[release] for offer in _of(project, release)}
    if release == "icehouse":
        found["python-oslo.messaging"] = Offer("python-oslo.messaging", "1.3.0-0ubuntu1~cloud0", release)
        for old, new in RENAMED.items():
            found[old] = Offer(old, ICEHOUSE, release, (Relation(new, "=", ICEHOUSE),))
    return found


@cache
def compare(one: str, other: str) -> int:
    """Debian's order of versions."""
    return int(version_compare(one, other))


def satisfies(version: str, relation: Relation) -> bool:
    """Whether `version` is one that `relation` means (deb-version(7), Debian policy 7.1)."""
    order = compare(version, relation.version) if relation.operator else 0
    return {"": True, "=": order == 0, "<<": order < 0, "<=": order <= 0, ">=": order >= 0, ">>": order > 0}[
        relation.operator
    ]


def offer_of(name: str, version: str) -> Offer | None:
    """What the archive says of this version, or `None` where no release has it (packages of the base system)."""
    return next(
        (offers(one)[name] for one in VERSIONS if name in offers(one) and offers(one)[name].version == version), None
    )


def project_of(unit: str) -> tuple[str, Project] | None:
    """(release's name of the project's generation, project) that a unit belongs to, by the unit's package."""
    for release, projects in PROJECTS.items():
        for project in projects:
            if unit in project.daemons:
                return release, project
    return None


def _of(project: Project, release: str) -> list[Offer]:
    version = VERSIONS[release]
    same = {name: Relation(name, "=", version) for name in (f"python-{project.name}", project.common)}
    client = project.name
    old_client = (Relation("python-quantumclient"),) if client == "neutron" else ()
    library: tuple[Relation, ...] = (Relation(f"python-{client}client"),)
    if (project.name, release) == ("nova", "icehouse"):
        library += (Relation("python-oslo.messaging"),)
    offers = [
        Offer(f"python-{project.name}", version, release, library, _breaks(f"python-{project.name}")),
        Offer(
            f"python-{client}client",
            project.client_version,
            release,
            conflicts=old_client,
            provides=tuple(relation.name for relation in old_client),
        ),
    ]
    conffiles = _conffiles(project, release)
    if project.common:
        python = same[f"python-{project.name}"]
        offers.append(Offer(project.common, version, release, (python,), _breaks(project.common), conffiles=conffiles))
    for daemon in project.daemons:
        base = same[project.common or f"python-{project.name}"]
        own = () if project.common else conffiles
        offers.append(Offer(daemon, version, release, (base,), _breaks(daemon), conffiles=own, units=(daemon,)))
    return offers


def _breaks(name: str) -> tuple[Relation, ...]:
    return tuple(Relation(old, "<<", "1:2014.1~") for old, new in RENAMED.items() if new == name)


def _conffiles(project: Project, release: str) -> tuple[tuple[str, bytes], ...]:
    text = f"# {project.configuration} as {release} ships it\n[DEFAULT]\nverbose = False\n\n[database]\nconnection = placeholder\n"
    shipped = [(project.configuration, text.encode())]
    if release == "icehouse":
        shipped.append((f"/etc/{project.name}/release.conf", b"[release]\nname = icehouse\n"))
    return tuple(shipped)

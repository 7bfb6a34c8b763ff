"""Fake hosts as the lab provisions its real ones: the havana fleet, ready to be upgraded."""

from collections.abc import Iterable
from pathlib import Path

from tests.fake import dpkg, files, state
from tests.fake.host import FakeHost
from tests.fake.index import BASE, PROJECTS, SCHEMAS, offer_of, offers
from tests.fake.state import Database, File, HostState, Installed

SOURCES = "/etc/apt/sources.list.d/cloud-{release}.list"
SOURCE = "deb [signed-by=/usr/share/keyrings/lab-archive.gpg] http://10.99.0.1:8000/{release} {release} main\n"
DIRECTORIES = (
    "/etc/apt/sources.list.d",
    "/usr/sbin",
    "/var/cache/apt/archives",
    "/run",
    "/tmp",
    "/root",
    "/srv",
    "/var/lib/dpkg/updates",
    "/var/lib/nornir-upgrade",
)
CONTROL = (
    "keystone",
    "glance-api",
    "nova-api",
    "nova-conductor",
    "nova-scheduler",
    "quantum-server",
    "cinder-api",
    "cinder-volume",
)
DATABASES = tuple(SCHEMAS["havana"])


def bare(name: str) -> HostState:
    """A host with the base system alone, and no source of packages."""
    made = HostState(name)
    for directory in DIRECTORIES:
        files.make_directories(made, directory)
    for package, version, _ in BASE:
        made.packages[package] = Installed(version, auto=False)
    return made


def havana(name: str, packages: Iterable[str], databases: Iterable[str] = ()) -> HostState:
    """A host that runs these packages of havana and holds these databases, configured as the lab does it."""
    made = bare(name)
    files.put(made, SOURCES.format(release="havana"), File("file", data=SOURCE.format(release="havana").encode()))
    made.lists = [SOURCE.format(release="havana").strip()]
    for database in databases:
        made.databases[database] = seeded(database)
    for package in packages:
        _install(made, package, auto=False)
    for project in PROJECTS["havana"]:
        if project.configuration in made.files:
            file = made.files[project.configuration]
            file.data = file.data.replace(b"placeholder", f"mysql://{project.name}:secret@10.99.0.11/".encode())
    return made


def _install(made: HostState, name: str, *, auto: bool) -> None:
    if name in made.packages:
        return
    offer = offers("havana")[name]
    for relation in offer.depends:
        _install(made, relation.name, auto=True)
    dpkg.begin(made, name, "auto" if auto else "manual")
    dpkg.unpack(made, name, offer.version)
    status, said = dpkg.configure(made, name)
    assert (status, offer_of(name, offer.version)) == (0, offer), said


def seeded(name: str) -> Database:
    """A database with a few rows, as havana knows it."""
    rows = [["id", "note"], *([f"{name}-{number}", f"row {number}"] for number in range(3))]
    return Database(SCHEMAS["havana"].get(name, 1), {"things": rows, "services": [["host", "binary"], ["ctl1", name]]})


def fleet() -> tuple[HostState, ...]:
    """The four hosts of the example inventory."""
    compute = [havana(name, ("nova-compute",)) for name in ("cmp1", "cmp2")]
    compute[1].packages["less"].selection = "hold"
    network = havana("net1", ("quantum-dhcp-agent", "quantum-l3-agent"))
    return (havana("ctl1", CONTROL, DATABASES), network, *compute)


def place(made: HostState, directory: Path) -> FakeHost:
    """The host, kept in `directory`."""
    path = directory / f"{made.name}.host"
    state.save(made, path)
    return FakeHost(path)

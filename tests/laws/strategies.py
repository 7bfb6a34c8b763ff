"""For every kind of step: hosts on which it makes sense, and steps that make sense there."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from nornir_upgrade.core import debname
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.state import places
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.steps import gates
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase, RestoreDatabase
from nornir_upgrade.steps.downloads import DownloadPackages, NewRepository
from nornir_upgrade.steps.files import CaptureFiles, RestoreFiles
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from nornir_upgrade.steps.state import CaptureState, RestoreState
from tests.fake import apt, cache, dpkg, files, hosts
from tests.fake.database import text_of
from tests.fake.index import MIGRATIONS, PORTS
from tests.fake.state import Database, File, HostState

ROOT = "/srv/laws"
DATABASES = ("keystone", "glance")
_SERVICES = ("keystone", "glance-api", "nova-compute", "quantum-dhcp-agent")


@dataclass(frozen=True)
class Case:
    """A host as it is, and a step for it; what the step needs is in the store."""

    host: HostState
    step: Step


Draw = Callable[[st.DrawFn, HostState, Store], Step]


@st.composite
def worlds(draw: st.DrawFn) -> HostState:
    """A host of havana that also knows icehouse, with a tree of files, databases, holds and marks of its own."""
    host = hosts.havana("h1", _SERVICES, DATABASES)
    path = hosts.SOURCES.format(release="icehouse")
    files.put(host, path, File("file", data=hosts.SOURCE.format(release="icehouse").encode()))
    apt.update(host, path)
    for path, file in draw(trees()).items():
        host.files[path] = file
    for name in DATABASES:
        host.databases[name].tables["drawn"] = draw(tables)
    for name in draw(st.sets(st.sampled_from(sorted(host.packages)), max_size=3)):
        host.packages[name].selection = "hold"
    for name in draw(st.sets(st.sampled_from(sorted(host.packages)), max_size=3)):
        host.packages[name].auto = not host.packages[name].auto
    return host


# ---------------------------------------------------------------------- files

_names = st.sampled_from(["a", "b", "two words", "it's", "ü", "$x"])
_modes = st.sampled_from(["0600", "0640", "0644", "0755"])
_leaves = st.one_of(
    st.builds(lambda mode, data: File("file", mode, data=data), _modes, st.binary(max_size=8)),
    st.builds(lambda target: File("symlink", "", target=target), st.sampled_from(["a", "/nowhere", "../x y"])),
    st.builds(lambda mode: File("directory", mode), st.sampled_from(["0700", "0755", "1777"])),
)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, File]:
    """Files below ROOT, each in a directory; or nothing at all."""
    found: dict[str, File] = {}
    if draw(st.booleans()):
        found[ROOT] = File("directory", "0755")
    for _ in range(draw(st.integers(0, 6)) if found else 0):
        above = draw(st.sampled_from(sorted(path for path, file in found.items() if file.kind == "directory")))
        path = f"{above}/{draw(_names)}"
        if path not in found and path.count("/") < 6:
            found[path] = draw(_leaves)
    return found


def _roots(draw: st.DrawFn, host: HostState) -> tuple[str, ...]:
    below = sorted(path for path in host.files if path.startswith(ROOT + "/"))
    return draw(st.sampled_from([(ROOT,), *((path,) for path in below), (*below[:1], f"{ROOT}/none")]))


def capture_files(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    return CaptureFiles(_roots(draw, host), "drawn")


def restore_files(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    other = HostState("other", draw(trees()))
    for file in other.files.values():
        store.put(file.data)
    return RestoreFiles((ROOT,), files.walk(other, [ROOT]))


_STATE = ("/etc/profile", "/etc/alternatives", "/etc/alternatives/editor", "/var/lib/ucf/hashfile", "/etc/passwd",
          "/var/lib/dpkg/statoverride", "/var/cache/debconf/config.dat", "/etc/ld.so.cache")  # fmt: skip
_XATTRS = [("user.note", "00ff"), ("security.capability", "0100")]


@st.composite
def states(draw: st.DrawFn) -> dict[str, File]:
    """What maintainer scripts may have left beside packages: any of it, or nothing."""
    found: dict[str, File] = {}
    for path in draw(st.sets(st.sampled_from(_STATE))):
        if path == "/etc/alternatives":
            found[path] = File("directory", draw(st.sampled_from(["0755", "0700"])))
        elif path == "/etc/alternatives/editor":
            found[path] = File("symlink", "", target=draw(st.sampled_from(["/bin/nano", "/usr/bin/vim"])))
        elif path.endswith(".dat"):
            names = sorted(draw(st.sets(st.sampled_from("abc"))))
            found[path] = File("file", "0600", data=b"".join(f"Name: {one}\nValue: x\n\n".encode() for one in names))
        else:
            names = sorted(draw(st.sets(st.sampled_from("abc"))))
            text = "".join(
                f"{one}:x:1:1::/:/bin/sh\n" if path == "/etc/passwd" else f"root adm 710 /{one}\n" for one in names
            )
            found[path] = File("file", draw(_modes), data=text.encode(), xattrs=draw(st.sampled_from([[], _XATTRS])))
    return {
        path: one
        for path, one in sorted(found.items())
        if path != "/etc/alternatives/editor" or "/etc/alternatives" in found
    }


def _with_state(draw: st.DrawFn, host: HostState) -> None:
    for directory in ("/etc", "/var/lib/dpkg", "/var/lib/ucf", "/var/cache/debconf"):
        files.make_directories(host, directory)
    host.files |= draw(states())


def capture_state(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    _with_state(draw, host)
    return CaptureState("drawn", draw(st.sampled_from([(), (ROOT,)])), end=draw(st.booleans()))


def restore_state(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    """The state of another host, with what the host's packages need to run."""
    other = HostState("other", dict(host.files))
    _with_state(draw, other)
    for file in other.files.values():
        store.put(file.data)
    _with_state(draw, host)
    configuration = draw(st.sampled_from([(), (ROOT,)]))
    part = draw(st.sampled_from(["ahead", "whole", "end"]))
    known = {path for path in other.files if path in host.files or path in _STATE}
    entries = files.survey(HostState("known", {path: other.files[path] for path in known}), places.roots(restored=True))
    own = files.survey(other, configuration)
    since = draw(st.sampled_from([(), tuple(one for one in entries if one.path == "/etc/passwd")]))
    return RestoreState((*entries, *own), configuration, part, since=since, keep=draw(st.booleans()))


_options = st.sampled_from(["verbose", "compute", "New_Option"])
_sections = st.sampled_from(["DEFAULT", "database", "upgrade_levels"])
_ini = (b"# head\n[DEFAULT]\nverbose = False  \n; note\n\n[database]\nconnection=x://a:b@c/d\n", b"", b"[DEFAULT]\n")


def ini(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    path = "/srv/laws.conf"
    host.files[path] = File("file", draw(_modes), data=draw(st.sampled_from(_ini)))
    value = draw(st.sampled_from([None, "havana", "", "a = b", "%(x)s"]))
    return SetOption(path, draw(_sections), draw(_options), value)


# ---------------------------------------------------------------------- databases, commands, services

_cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4)
tables = st.lists(st.lists(_cells, min_size=2, max_size=2), min_size=1, max_size=3)


def dump_database(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    return DumpDatabase(draw(st.sampled_from(DATABASES)))


def restore_database(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    name = draw(st.sampled_from([*DATABASES, "scratch"]))
    if draw(st.booleans()):
        return RestoreDatabase(name, "")
    content = Database(draw(st.integers(1, 50)), {"t": draw(tables)})
    return RestoreDatabase(name, store.put(text_of(name, content)))


def command(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    path = f"/srv/{draw(_names)}"
    pairs = [
        (("touch", "--", path), ("rm", "-f", "--", path)),
        (("install", "-d", "-m", "0700", "--", path), ("rm", "-rf", "--", path)),
        (("systemctl", "stop", "--", "keystone.service"), ("systemctl", "start", "--", "keystone.service")),
    ]
    argv, undo = draw(st.sampled_from(pairs))
    return RunCommand(argv, undo)


def migration(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    """A command that only a capture undoes. The package knows icehouse's schema, as after its upgrade."""
    name = draw(st.sampled_from(DATABASES))
    host.packages[f"python-{name}"].version = "1:2014.1-0ubuntu1~cloud0"
    argv = next(argv for argv, database in MIGRATIONS.items() if database == name)
    return RunCommand(argv, covered=f"database {name}")


def services(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    names = draw(st.lists(st.sampled_from([*_SERVICES, "absent-one"]), unique=True, max_size=4))
    either = st.sampled_from([None, True, False])
    stopped = st.sampled_from([None, False])
    for name in draw(st.sets(st.sampled_from(sorted(host.services)), max_size=2)):
        host.services[name].active = draw(st.booleans())
        host.services[name].enabled = draw(st.booleans())
    return SetServices(
        tuple(
            ServiceWant(name, draw(either), draw(either)) if name in host.services else ServiceWant(name, draw(stopped))
            for name in names
        )
    )


# ---------------------------------------------------------------------- packages


def repository(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    path = hosts.SOURCES.format(release=draw(st.sampled_from(["havana", "icehouse", "other"])))
    text = draw(
        st.sampled_from(
            [None, "", "# nothing\n", *(hosts.SOURCE.format(release=one) for one in ("havana", "icehouse"))]
        )
    )
    if text and draw(st.booleans()):
        return SetRepository(path, digest=store.put(text.encode()))
    return SetRepository(path, text)


def packages(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    """Any change that apt agrees to, completed to what it does besides, with marks and holds at will."""
    for name in draw(st.sets(st.sampled_from(["glance-api", "nova-compute"]), max_size=1)):
        dpkg.remove(host, name)
    ours = sorted(name for name in host.packages if apt.candidates(_request({}), name))
    ways = st.sampled_from(["icehouse", "havana", "gone"])
    asked = draw(st.dictionaries(st.sampled_from([*ours, "cinder-volume", "neutron-server"]), ways, max_size=4))
    words: dict[str, str | None] = {}
    for name, way in asked.items():
        known = apt.candidates(_request({}), name)
        words[name] = {"icehouse": known[0], "havana": known[-1], "gone": None}[way]
    try:
        changes = apt.solve(host, _request(words)).changes
    except apt.Refusal:
        changes = {}
    for name in draw(st.sets(st.sampled_from(ours), max_size=2)):
        if host.packages[name].state == "installed":
            changes.setdefault(name, host.packages[name].version)
    return SetPackages(
        tuple(_want(draw, name, version) for name, version in sorted(changes.items())),
        tuple(sorted(draw(st.sets(st.sampled_from(_SERVICES), max_size=2)))),
        downgrade=True,
    )


def download(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    """What icehouse would change; some of it was downloaded by somebody before."""
    path = hosts.SOURCES.format(release="icehouse")
    asked = draw(st.sets(st.sampled_from([*_SERVICES[:3], "cinder-volume"]), min_size=1))
    changes = apt.solve(host, _request(dict.fromkeys(sorted(asked), ""))).changes
    want = tuple(_want(draw, name, version) for name, version in sorted(changes.items()))
    coming = [one for one in want if one.goal == "installed"]
    for one in draw(st.sets(st.sampled_from(coming), max_size=2)) if coming else ():
        cache.fetch(host, debname.file_name(one.name, one.version, one.arch))
    return DownloadPackages(want, (NewRepository(path, hosts.SOURCE.format(release="icehouse")),))


def download_of_what_is_new(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    """The same for a host that does not know icehouse yet."""
    del host.files[hosts.SOURCES.format(release="icehouse")]
    return download(draw, host, store)


def _request(words: dict[str, str | None]) -> apt.Request:
    return apt.Request(words, frozenset(("--allow-downgrades", "--allow-change-held-packages")), ("havana", "icehouse"))


def _want(draw: st.DrawFn, name: str, version: str | None) -> PackageWant:
    if version is None:
        return PackageWant(name, "all", "", draw(st.sampled_from(["absent", "config-files"])))
    return PackageWant(name, "all", version, "installed", draw(st.booleans()), draw(st.booleans()))


# ---------------------------------------------------------------------- gates

NOW = 0.0


def gate_service(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    return gates.ServiceActive(draw(st.sampled_from([*_SERVICES, "absent-one"])), NOW)


def gate_services(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    names = draw(st.lists(st.sampled_from([*_SERVICES, "absent-one"]), unique=True, min_size=1))
    return gates.ServicesKept(tuple(names), NOW)


def gate_port(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    return gates.PortOpen(draw(st.sampled_from([*PORTS.values(), 9])), timeout=NOW)


def gate_http(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    port = draw(st.sampled_from([*PORTS.values(), 9]))
    return gates.HttpStatus(f"http://127.0.0.1:{port}/", draw(st.sampled_from([200, 404])), draw(_cells), NOW)


def gate_audit(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    if draw(st.booleans()):
        host.packages["less"].state = "half-configured"
    return gates.AuditClean(NOW)


def gate_dump(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    return gates.DatabaseDumps(draw(st.sampled_from([*DATABASES, "absent-one"])))


def gate_command(draw: st.DrawFn, host: HostState, store: Store) -> Step:
    return gates.CommandSucceeds(draw(st.sampled_from([("true",), ("false",)])), NOW)


STRATEGIES: dict[str, tuple[Draw, ...]] = {
    "download": (download, download_of_what_is_new),
    "packages": (packages,),
    "repository": (repository,),
    "capture_files": (capture_files,),
    "restore_files": (restore_files,),
    "capture_state": (capture_state,),
    "restore_state": (restore_state,),
    "ini": (ini,),
    "services": (services,),
    "dump_database": (dump_database,),
    "restore_database": (restore_database,),
    "command": (command, migration),
    "gate_service": (gate_service,),
    "gate_services": (gate_services,),
    "gate_port": (gate_port,),
    "gate_http": (gate_http,),
    "gate_audit": (gate_audit,),
    "gate_command": (gate_command,),
    "gate_dump": (gate_dump,),
}


@st.composite
def cases(draw: st.DrawFn, kind: str, store: Store) -> Case:
    """A host and a step of this kind for it."""
    host = draw(worlds())
    step = draw(st.sampled_from(STRATEGIES[kind]))(draw, host, store)
    return Case(host, step)

"""Belongings: what is a package's beyond the files that came with it: data that its purge would delete, services, users.

What a maintainer script does cannot be known, but what it names can be looked at. Two round trips, read-only: what the scripts and
file lists of packages name, then which of these places hold files that no package owns.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.sections import SHELL, Section, new_boundary, split

BASES = ("/var/lib", "/var/spool", "/var/mail", "/srv", "/opt", "/home")
"""Where packages and their users keep data."""
# The system's own registries and what is derived from packages: scripts enter the package there, and take it out.
_REGISTRIES = tuple(
    f"/var/lib/{name}/"
    for name in (
        *(
            "dpkg",
            "apt",
            "rpm",
            "dnf",
            "systemd",
            "ucf",
            "pam",
            "update-rc.d",
            "dbus",
            "shells.state",
            "python",
            "man-db",
        ),
        *(
            "sgml-base",
            "xml-core",
            "emacsen-common",
            "doc-base",
            "dictionaries-common",
            "aspell",
            "ispell",
            "initramfs-tools",
        ),
    )
)
_TIMEOUT = 300.0  # seconds
_NAMED = re.compile(rf"(?<![\w./-])(?:{'|'.join(BASES)})/(?P<rest>[\w.+@%-]*(?:/[\w.+@%-]+)*)")
_ACCOUNTS = re.compile(r"\b(?:adduser|useradd|deluser|userdel|systemd-sysusers|groupadd|addgroup)\b")
_REMOVES = re.compile(r"\b(?:rm|rmdir|unlink|delete)\b")
_SERIES = re.compile(r"-?[0-9][0-9.]*$")
_FIRST_USER, _LAST_USER = 100, 999  # what packages create (Debian policy 9.2.2; login.defs(5), SYS_UID_MAX)

# A place a line on stdin: the first file below it that no package owns; of a user, the first that is the user's.
_LOOK = """\
first() {
  { printf '%s\n==\n' "$owned"; cat; } |
    awk 'begun { if (!($0 in own)) { print; exit } next } $0 == "==" { begun = 1; next } { own[$0] = 1 }'
}
{
while IFS='\t' read -r kind what; do
  case $kind in
    place) found=$([ ! -e "$what" ] || find "$what" ! -type d 2>/dev/null | first) ;;
    user) found=$(find $(echo "$bases" | tr '|' ' ') -maxdepth 5 -user "$what" ! -type d 2>/dev/null | first) ;;
  esac
  [ -z "$found" ] || printf '%s\\t%s\\t%s\\n' "$kind" "$what" "$found"
done
}; mark found 0
mark end 0
"""


def named_script(manager: str) -> str:
    """The fixed script that tells what packages name, on hosts with this package manager."""
    return f"{SHELL}bases=$1\n{family_of(manager).belongings.NAMED}cat /etc/passwd; mark users 0\nmark end 0\n"


def look_script(manager: str) -> str:
    """The fixed script that looks for files that no package owns."""
    return f"{SHELL}bases=$1\n{family_of(manager).belongings.OWNED}{_LOOK}"


@dataclass(frozen=True, slots=True)
class Named:
    """Names in a package: `scripts` by kind; the `paths` of its file list below the bases and /etc, and those of its `units`;
    `users`: lines of sysusers.d(5).
    """

    scripts: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    users: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where data of a package would be: directories, and users whose files they would be."""

    directories: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Belongings:
    """What is a package's. `data`: where data are that its purge (of rpm: its removal) would delete, or may. `services`: names of its
    units, of a template with its `@`. `configuration`: paths below /etc that are no other package's. `users` that it created.
    """

    data: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    configuration: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


def belongings(host: Host, manager: str, packages: Collection[PackageName]) -> dict[PackageName, Belongings]:
    """What is theirs, for each of `packages` (installed, or left with their configuration). Changes nothing.

    Of a format that purges nothing only data that scripts may delete count: the manager leaves what it does not own.
    """
    if not packages:
        return {}
    asked = "".join(f"{package.name}\t{package.arch}\n" for package in sorted(packages)).encode()
    answer = _ask(host, named_script(manager), (*BASES, "/etc"), asked)
    owners, users = _owners(answer["owned"]), answer["users"]
    lists = {name for package in packages for name in (f"{package.name}.list", f"{package.name}:{package.arch}.list")}
    shared = {path for path, files in owners.items() if not files <= lists}
    named = read_named(answer["named"])
    places = {key: places_of(key, package, manager, shared, users) for key, package in named.items()}
    looked = _looked(host, manager, places.values())
    return {
        key: Belongings(
            tuple(dict.fromkeys(_held(places[key], looked))),
            tuple(sorted(set(map(_unit, package.units)))),
            tuple(_uppermost(p for p in package.paths if p.startswith("/etc/") and len(owners.get(p, ())) <= 1)),
            places[key].users,
        )
        for key, package in named.items()
    }


def read_named(section: Section) -> dict[PackageName, Named]:
    """What each package names, as `named_script` prints it. Raises `InvalidInput`."""
    fields: dict[PackageName, dict[str, list[str]]] = {}
    lines: dict[str, list[str]] = {}
    for offset, line in section.lines():
        if line.startswith("package\t"):
            _, name, arch = _fields(section, offset, line)
            lines = fields.setdefault(PackageName(name, arch), {})
        else:
            kind, mark, text = line.partition("%")
            if not mark:
                raise section.fail(f"not understood: {line!r}", offset)
            lines.setdefault(kind, []).append(text)
    scripts = ("postrm", "prerm", "postinst", "preinst")
    return {
        key: Named(
            {kind: "\n".join(each[kind]) for kind in scripts if kind in each},
            tuple(each.get("list", ())),
            tuple(each.get("unit", ())),
            "\n".join(each.get("users", ())),
        )
        for key, each in fields.items()
    }


def places_of(key: PackageName, named: Named, manager: str, shared: Collection[str], users: Section) -> Places:
    """Where data of the package would be, by what it names. Paths that are `shared` may hold what is others'."""
    script = named.scripts.get("postrm", "")
    directories = dict.fromkeys(_in_script(key.name, script) if _REMOVES.search(script) else ())
    if not family_of(manager).format.purges:
        return Places(tuple(directories))
    directories |= dict.fromkeys(_uppermost(path for path in named.paths if path not in shared and _for_data(path)))
    return Places(tuple(directories), tuple(_users(named, users)))


def _in_script(name: str, script: str) -> Iterator[str]:
    """The directories that a script names. Where it takes the last part from a variable, the package's own name is tried."""
    for match in _NAMED.finditer(script):
        base = match[0][: match.start("rest") - match.start() - 1]
        if match["rest"]:
            yield from (path for path in (match[0],) if not _registry(path))
        else:
            yield from (f"{base}/{word}" for word in dict.fromkeys((name, _SERIES.sub("", name))))


def _users(named: Named, passwd: Section) -> Iterator[str]:
    """The users that the package creates: it names them, and commands or files that create users."""
    texts = [text for text in named.scripts.values() if _ACCOUNTS.search(text)] + [named.users]
    words = {word for text in texts for word in re.findall(r"[\w.-]+", text)}
    for _, line in passwd.lines():
        user, _, rest = line.partition(":")
        number = rest.split(":")[1] if rest.count(":") else ""
        if user in words and number.isdecimal() and _FIRST_USER <= int(number) <= _LAST_USER:
            yield user


def _owners(owned: Section) -> dict[str, set[str]]:
    """The file lists that name each path: `FILE:PATH` a line."""
    owners: dict[str, set[str]] = {}
    for _, line in owned.lines():
        file, _, path = line.partition(":/")
        owners.setdefault(f"/{path}", set()).add(file.rpartition("/")[2])
    return owners


def _uppermost(paths: Iterable[str]) -> Iterator[str]:
    """The paths that are below none of the others."""
    last = ""
    for path in sorted(paths, key=lambda path: f"{path}/"):
        if not last or not path.startswith(f"{last}/"):
            last = path
            yield path


def _unit(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".service")


def _for_data(path: str) -> bool:
    return not path.startswith("/etc/") and not _registry(path)


def _registry(path: str) -> bool:
    return f"{path}/".startswith(_REGISTRIES)


def _held(places: Places, files: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """The places of data, in words: a directory, or the first file of a user."""
    yield from (place for place in places.directories if ("place", place) in files)
    own = (files["user", place] for place in places.users if ("user", place) in files)
    yield from (path for path in own if not _below(path, places))


def _below(path: str, places: Places) -> bool:
    return any(path.startswith(f"{directory}/") for directory in places.directories)


def _looked(host: Host, manager: str, places: Iterable[Places]) -> dict[tuple[str, str], str]:
    """A file in each of the places where there is one: (kind, place) -> path."""
    every = tuple(places)
    wanted = {f"place\t{place}" for each in every for place in each.directories}
    wanted |= {f"user\t{place}" for each in every for place in each.users}
    if not wanted:
        return {}
    return _read_found(
        _ask(host, look_script(manager), BASES, "".join(f"{place}\n" for place in sorted(wanted)).encode())["found"]
    )


def _read_found(section: Section) -> dict[tuple[str, str], str]:
    files = {}
    for offset, line in section.lines():
        kind, what, path = _fields(section, offset, line)
        files[kind, what] = path
    return files


def _fields(section: Section, offset: int, line: str) -> tuple[str, str, str]:
    fields = line.split("\t", 2)
    if len(fields) != 3:
        raise section.fail(f"not understood: {line!r}", offset)
    return fields[0], fields[1], fields[2]


def _ask(host: Host, script: str, bases: Iterable[str], asked: bytes) -> Mapping[str, Section]:
    boundary = new_boundary()
    argv: Sequence[str] = ("sh", "-c", script, "sh", boundary, "|".join(bases))
    result = host.run(argv, stdin=asked, timeout=_TIMEOUT, check=False)
    try:
        return split(result.text, boundary)
    except InvalidInput as refusal:
        errors: Iterable[str] = result.errors.strip().splitlines()[-3:]
        raise InvalidInput("; ".join([f"{host.name}: belongings: {refusal.message}", *errors])) from None

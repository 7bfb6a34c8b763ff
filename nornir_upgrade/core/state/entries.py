"""Entries: the state of a host beside its packages, at each place of `places.KEPT`. An entry is one thing that can differ.

Gathered in the round trip of all facts. Secrets are never read as text: an entry holds the digest of a file, and the fields of an
account without its password.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.state import digests
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.core.transport.sections import Section
from nornir_upgrade.core.transport.xattrs import LIST_XATTRS, parse_xattr_names

from .places import AREAS, LEFT, Area, areas_of, left, place_of, roots

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem")
"""The trusted roots in one file, as most programs read them."""
_FIELDS = 5
_KINDS = {"f": "file", "d": "directory", "l": "symlink"}
_ACCOUNTS = ("passwd", "group")
_SHORT = 32  # hexadecimal digits of a digest that are told: 128 bits
_CLUSTER = re.compile(r"(?P<key>port|data_directory)\s*=?\s*(?P<value>'[^']*'|[^\s#]+)")
_PRUNED = " -o ".join(f"-path {one.path}" for one in LEFT)

# find(1) stays on the file system of each root. It reports missing and vanishing paths on standard error.
SCRIPT = (
    f"""\
below() {{ find {" ".join(roots(restored=False))} -xdev '(' {_PRUNED} ')' -prune -o "$@" 2>/dev/null; }}
below -printf '%p\\0%y\\0%m\\0%U:%G\\0%l\\0'; mark entries 0
below -type f -print0 | xargs -0r sha256sum -z -- 2>/dev/null; mark entry-digests 0
below -print0 | {LIST_XATTRS}; mark xattrs 0
"""
    + """\
for name in passwd group; do
  while IFS=: read -r one secret rest || [ "$one" ]; do printf '%s:%s\\n' "$one" "$rest"; done < /etc/$name; mark $name $?
done
for file in /var/lib/dpkg/alternatives/* /var/lib/alternatives/*; do
  if [ -f "$file" ] && read -r word < "$file"; then printf '%s\\t%s\\n' "$file" "$word"; fi
done; mark choices 0
for file in /var/lib/dpkg/diversions /var/lib/dpkg/statoverride /var/lib/dpkg/triggers/File; do
  [ ! -f "$file" ] || show "$file"; mark "${file##*/}" $?
done
"""
    + f"""\
for file in {" ".join(BUNDLES)}; do
  [ ! -f "$file" ] || printf '%s\\t%s\\n' "$file" "$(grep -c -e '^-----BEGIN' -- "$file")"
done; mark bundles 0
"""
    + """\
for file in /etc/postgresql/*/*/postgresql.conf /var/lib/pgsql/data/postgresql.conf /var/lib/pgsql/*/data/postgresql.conf; do
  if [ -f "$file" ]; then
    printf '# %s\\n' "$file"
    grep -E '^[[:space:]]*(port|data_directory)[[:space:]=]' -- "$file"
    data=$(sed -nE "s/^[[:space:]]*data_directory[[:space:]=]+'([^']*)'.*/\\\\1/p" "$file")
    data=${data:-${file%/*}}
    if [ -d "$data" ]; then
      version=
      [ ! -f "$data/PG_VERSION" ] || read -r version < "$data/PG_VERSION"
      printf '= %s\\t%s\\t%s\\n' "$data" "$version" "$(stat -c '%u:%g %a' -- "$data")"
    fi
  fi
done; mark clusters 0
[ ! -d /boot ] || find /boot -xdev -type f -size -1024k -print0 | xargs -0r sha256sum -z --; mark boot-digests 0
[ ! -d /boot ] || find /boot -xdev '(' -type f -o -type l ')' -printf '%p\\0%y\\0%s\\0%l\\0'; mark boot 0
"""
)

PARTS = (
    "entries",
    "entry-digests",
    "xattrs",
    *_ACCOUNTS,
    "choices",
    "diversions",
    "statoverride",
    "File",
    "bundles",
    "clusters",
    "boot-digests",
    "boot",
)
"""The sections of the answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in an area of a host. `value`: its state in words, with digests in place of contents."""

    area: Area
    name: str
    value: str


def parse(sections: Mapping[str, Section], format: str) -> tuple[tuple[Area, ...], tuple[Entry, ...]]:
    """The gathered areas, and their entries in order. Both are empty for an answer of an older version."""
    if "entries" not in sections:
        return (), ()
    if missing := [name for name in PARTS if name not in sections]:
        raise InvalidInput(f"the answer lacks {', '.join(missing)}")
    areas = areas_of(format)
    entries = (entry for entry in _entries(sections) if entry.area in areas)
    return areas, tuple(sorted(entries, key=lambda entry: (AREAS.index(entry.area), entry.name)))


def _entries(sections: Mapping[str, Section]) -> Iterator[Entry]:
    yield from _files(sections)
    yield from _accounts(sections)
    yield from _choices(sections["choices"], _links(sections["entries"]))
    yield from _diversions(sections["diversions"])
    yield from _lines(sections["statoverride"], "statoverrides", "")
    yield from _lines(sections["File"], "dpkg", "trigger ")
    yield from _bundles(sections["bundles"])
    yield from _clusters(sections["clusters"])
    yield from _boot(sections["boot"], digests(sections["boot-digests"]))


def state_in_words(kind: str, mode: str, owner: str, digest: str, target: str, xattrs: str = "") -> str:
    """The state of a path, as the value of an entry. `xattrs`: names and lengths of extended attributes."""
    if kind == "symlink":
        return f"-> {target}"
    return " ".join(filter(None, (kind, mode.zfill(4), owner, digest[:_SHORT], xattrs)))


def value_of(state: FileState) -> str:
    """The value that an entry has for a captured path."""
    owner, xattrs = (
        f"{state.owner}:{state.group}",
        " ".join(f"{name}:{len(value) // 2}" for name, value in state.xattrs),
    )
    return state_in_words(state.kind, state.mode, owner, state.digest, state.target, xattrs)


def area_of(path: str) -> Area:
    """The area of a path: that of its nearest place. Files of accounts are in `etc`: area `accounts` holds their lines."""
    place = place_of(path)
    return "etc" if place is None or place.area == "accounts" else place.area


def _records(section: Section, size: int) -> Iterator[list[str]]:
    """Records of `size` fields, each field ended by NUL."""
    fields = section.succeeded().text.split("\0")
    if len(fields) % size != 1:
        raise section.fail("it is cut off")
    return (fields[at : at + size] for at in range(0, len(fields) - 1, size))


def _files(sections: Mapping[str, Section]) -> Iterator[Entry]:
    known, having = digests(sections["entry-digests"]), parse_xattr_names(sections["xattrs"].text)
    for path, letter, mode, owner, target in _records(sections["entries"], _FIELDS):
        counted = path not in _OWN_ENTRIES and not left(path)
        if letter in _KINDS and counted and (letter != "f" or path in known):
            digest, xattrs = known.get(path, ""), " ".join(sorted(having.get(path, "").split()))
            yield Entry(area_of(path), path, state_in_words(_KINDS[letter], mode, owner, digest, target, xattrs))


_OWN_ENTRIES = ("/var/lib/dpkg/diversions", "/var/lib/dpkg/triggers/File")
"""Files with an entry for each line, but none for the whole: dpkg changes the order of their lines."""


def _links(section: Section) -> dict[str, str]:
    return {fields[0]: fields[4] for fields in _records(section, _FIELDS) if fields[1] == "l"}


def _accounts(sections: Mapping[str, Section]) -> Iterator[Entry]:
    """The lines of passwd(5) and group(5), without the second field, which may hold a password."""
    for name, word in zip(_ACCOUNTS, ("user", "group"), strict=True):
        for offset, line in sections[name].succeeded().lines():
            account, colon, rest = line.partition(":")
            if not colon:
                raise sections[name].fail("no account", offset)
            yield Entry("accounts", f"{word} {account}", rest)


def _choices(section: Section, links: Mapping[str, str]) -> Iterator[Entry]:
    for path, word in _tabbed(section):
        name = path.rpartition("/")[2]
        yield Entry("alternatives", name, f"{word} {links.get(f'/etc/alternatives/{name}', '')}".strip())


def _diversions(section: Section) -> Iterator[Entry]:
    """Three lines for each diversion: the path, its new path, and the package that diverts it; `:` is the administrator."""
    lines = [line for _, line in section.succeeded().lines()]
    if len(lines) % 3:
        raise section.fail("it is cut off")
    for path, to, package in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        yield Entry("diversions", path, f"to {to} by {package if package != ':' else 'local'}")


def _lines(section: Section, area: Area, before: str) -> Iterator[Entry]:
    """A statoverride is `user group mode path`, a trigger's interest `path package`: the path is the name."""
    for _, line in section.succeeded().lines():
        head, slash, path = line.partition(" /")
        name, value = (slash[1:] + path, head) if slash else (line, "there")
        yield Entry(area, f"{before}{name}", value)


def _bundles(section: Section) -> Iterator[Entry]:
    for path, count in _tabbed(section):
        yield Entry("certificates", f"trusted roots in {path}", count)


def _clusters(section: Section) -> Iterator[Entry]:
    """For each cluster a line `# FILE`, lines of its settings, and `= DIRECTORY, version, owner and mode` of its data."""
    clusters: dict[str, dict[str, str]] = {}
    settings: dict[str, str] = {}
    for _, line in section.succeeded().lines():
        if line.startswith("# "):
            settings = clusters.setdefault(line[2:].rpartition("/")[0], {})
        elif line.startswith("= "):
            settings["data"], settings["version"], settings["owner"] = ([*line[2:].split("\t"), "", ""])[:3]
        elif match := _CLUSTER.search(line):
            settings[match["key"]] = match["value"].strip("'")
    for place, cluster in clusters.items():
        name = place.removeprefix("/etc/postgresql/")
        yield Entry(
            "clusters",
            f"postgresql {name}",
            f"version {cluster.get('version', '')} port {cluster.get('port', '5432')} "
            f"data {cluster.get('data_directory', cluster.get('data', ''))} {cluster.get('owner', '')}".strip(),
        )


def _boot(section: Section, known: Mapping[str, str]) -> Iterator[Entry]:
    """Files in /boot: kernels by size, small files by size and digest, an initramfs by its presence alone."""
    for path, letter, size, target in _records(section, 4):
        if letter == "l":
            yield Entry("boot", path, f"-> {target}")
        elif path.rpartition("/")[2].startswith(("initrd", "initramfs")):
            yield Entry("boot", path, "there")
        else:
            yield Entry("boot", path, f"{size} bytes {known.get(path, '')[:_SHORT]}".strip())


def _tabbed(section: Section) -> Iterable[tuple[str, str]]:
    for offset, line in section.succeeded().lines():
        path, tab, rest = line.partition("\t")
        if not tab:
            raise section.fail(f"no name and value: {line!r}", offset)
        yield path, rest

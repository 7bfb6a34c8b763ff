"""What a host is beside its packages, as entries: what stands at each place of `registries.KEPT`, and what is read out of it.

Gathered in the round trip of all facts. A secret is never read as text: of a file only its digest is told, and of an account all
but its password.
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

# find(1) does not leave the file system that a root is on. What vanishes meanwhile, or is not there at all, is told on stderr.
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
"""The parts of the answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a host in an area; `value` is what it is, in words, with digests in place of contents."""

    area: Area
    name: str
    value: str


def parse(sections: Mapping[str, Section], format: str) -> tuple[tuple[Area, ...], tuple[Entry, ...]]:
    """The areas that were gathered, and the entries in them, in order; none of both where the answer is of an older version."""
    if "entries" not in sections:
        return (), ()
    if missing := [name for name in PARTS if name not in sections]:
        raise InvalidInput(f"the answer lacks {', '.join(missing)}")
    areas = areas_of(format)
    found = (one for one in _entries(sections) if one.area in areas)
    return areas, tuple(sorted(found, key=lambda one: (AREAS.index(one.area), one.name)))


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
    """What stands at a path, as an entry has it; of extended attributes names and lengths."""
    if kind == "symlink":
        return f"-> {target}"
    return " ".join(filter(None, (kind, mode.zfill(4), owner, digest[:_SHORT], xattrs)))


def value_of(state: FileState) -> str:
    """The entry's value of what a capture holds."""
    owner, xattrs = (
        f"{state.owner}:{state.group}",
        " ".join(f"{name}:{len(value) // 2}" for name, value in state.xattrs),
    )
    return state_in_words(state.kind, state.mode, owner, state.digest, state.target, xattrs)


def area_of(path: str) -> Area:
    """The area in which a path counts: that of its nearest place; accounts are told line by line, and count as files in `etc`."""
    place = place_of(path)
    return "etc" if place is None or place.area == "accounts" else place.area


def _records(section: Section, size: int) -> Iterator[list[str]]:
    """NUL-separated fields, `size` a record."""
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
"""Told line by line alone: dpkg writes these files in an order of its own."""


def _links(section: Section) -> dict[str, str]:
    return {fields[0]: fields[4] for fields in _records(section, _FIELDS) if fields[1] == "l"}


def _accounts(sections: Mapping[str, Section]) -> Iterator[Entry]:
    """passwd(5) and group(5), without the second field, which may hold a password."""
    for name, word in zip(_ACCOUNTS, ("user", "group"), strict=True):
        for offset, line in sections[name].succeeded().lines():
            one, colon, rest = line.partition(":")
            if not colon:
                raise sections[name].fail("no account", offset)
            yield Entry("accounts", f"{word} {one}", rest)


def _choices(section: Section, links: Mapping[str, str]) -> Iterator[Entry]:
    for path, word in _tabbed(section):
        name = path.rpartition("/")[2]
        yield Entry("alternatives", name, f"{word} {links.get(f'/etc/alternatives/{name}', '')}".strip())


def _diversions(section: Section) -> Iterator[Entry]:
    """Three lines each: the path, where it is diverted to, and the package that does, `:` where it is the administrator."""
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
    """A line `# FILE` a cluster, its settings as they are in the file, and `= DIRECTORY, version, owner and mode` of its data."""
    found: dict[str, dict[str, str]] = {}
    about: dict[str, str] = {}
    for _, line in section.succeeded().lines():
        if line.startswith("# "):
            about = found.setdefault(line[2:].rpartition("/")[0], {})
        elif line.startswith("= "):
            about["data"], about["version"], about["owner"] = ([*line[2:].split("\t"), "", ""])[:3]
        elif match := _CLUSTER.search(line):
            about[match["key"]] = match["value"].strip("'")
    for place, told in found.items():
        name = place.removeprefix("/etc/postgresql/")
        yield Entry(
            "clusters",
            f"postgresql {name}",
            f"version {told.get('version', '')} port {told.get('port', '5432')} "
            f"data {told.get('data_directory', told.get('data', ''))} {told.get('owner', '')}".strip(),
        )


def _boot(section: Section, known: Mapping[str, str]) -> Iterator[Entry]:
    """Kernels and the like by their size, what is small by its digest, an initramfs by its being there."""
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

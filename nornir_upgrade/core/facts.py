"""What is true of a host: gathered in one round trip, read-only, by a fixed script and a strict and pure parser of its output.

What is cheap was measured. `systemctl list-unit-files` costs systemd 350 ms of CPU a call, so that unit files are listed here and
only the units' present state is asked for. Never read: dpkg's status file, which lies after a crash.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from . import apt
from .errors import InvalidInput
from .host import Host
from .packages import Package, Repository, digest_of_packages
from .sections import SHELL, Section, new_boundary, split
from .units import Service as Service
from .units import parse_services

_FIRST = "facts 1"
_TIMEOUT = 300.0  # seconds: dumps of databases are read
_FORMAT = apt.FORMAT + r"${Conffiles}\n"
_SOURCES = re.compile(
    r"/etc/apt/(sources\.list|preferences|trusted\.gpg)(\.d/.*)?|/etc/apt/keyrings/.*|/usr/share/keyrings/.*"
)
_CONFFILE = re.compile(r" (?P<path>/.*) (?:[0-9a-f]{32}|newconffile)(?P<obsolete> obsolete)?(?: remove-on-upgrade)?")
_DIGEST = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<path>/.*)", re.DOTALL)
_DATABASE = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_$-]*", re.ASCII)

SCRIPT = (
    SHELL
    + f"""\
export LC_ALL=C
show() {{ while IFS= read -r line || [ "$line" ]; do printf '%s\\n' "$line"; done < "$1"; }}
echo "{_FIRST} $boundary"
mark begin 0
show /etc/os-release; mark os $?
show /proc/sys/kernel/osrelease; mark kernel $?
[ ! -f /etc/machine-id ] || show /etc/machine-id; mark machine 0
list=$(dpkg-query --show --showformat "$1"); status=$?; shift
printf '%s\\n' "$list"; mark packages $status
"""
    # One process for all digests, which would read standard input if there were no name at all. A path that is not there is told
    # on stderr, and is simply not listed.
    + """\
files=/dev/null
IFS='
'
below() {
  for path do
    if [ -d "$path" ] && [ ! -L "$path" ]; then
      below "$path"/* "$path"/.[!.]*
    elif [ -f "$path" ]; then
      files=$files$IFS$path
    fi
  done
}
below /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/preferences /etc/apt/preferences.d /etc/apt/keyrings \\
  /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /usr/share/keyrings
set -f
tab=$(printf '\\t') native=
for line in $list; do
  case $line in
    ' '*)
      line=${line% remove-on-upgrade}; line=${line% obsolete}; line=${line% *}
      files=$files$IFS${line# } ;;
    dpkg"$tab"*)
      native=${line#*"$tab"}; native=${native%%"$tab"*} ;;
  esac
done
sha256sum -z -- $files 2>/dev/null; mark digests $?
set +f; unset IFS
"""
    # The file is where apt keeps its marks (apt-mark(8), FILES), replaced as a whole: asking apt-mark would cost a host ten times as
    # much. Where no architecture was ever added, apt need not start dpkg to be told of them (dpkg(1), --add-architecture).
    + """\
states=/var/lib/apt/extended_states
if [ -f $states ]; then cat $states; mark states $?; mark auto 0; else mark states 0; apt-mark showauto; mark auto $?; fi
[ ! -e /var/lib/dpkg/arch ] || native=
apt-cache ${native:+"-oAPT::Architectures=$native"} policy; mark policy $?
if [ -d /run/systemd/system ]; then
  systemctl list-units --all --full --plain --no-legend '*.service'; mark units $?
else
  mark units 0
fi
"""
    + """\
units='/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system'
[ -L /lib ] || units="$units /lib/systemd/system"
find $units /run/systemd/generator -maxdepth 2 -name '*.service' -type l -printf '%p\\t%l\\n' 2>/dev/null; mark links 0
services=
for directory in $units; do services="$services $directory/*.service"; done
grep -lsE '^\\[Install\\]' -- $services
for file in /run/systemd/generator.late/*.service; do [ ! -f "$file" ] || printf '%s\\n' "$file"; done; mark files 0
"""
    # AUTO_INCREMENT is where a counter stands, not what a table holds.
    + """\
for database do
  status=$({ {
    mariadb-dump --single-transaction --skip-dump-date --skip-comments --order-by-primary --routines --triggers --events \\
      --hex-blob -- "$database"; echo $? >&3
  } | sed -E 's/^(\\) ENGINE=.*) AUTO_INCREMENT=[0-9]+/\\1/' | sha256sum >&4; } 3>&1) 4>&1
  mark "database $database" $status
done
mark end 0
"""
)


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
class Source:
    """A file that says where packages come from: sources, preferences, keyrings. `digest` is its SHA-256."""

    path: str
    digest: str


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


def gather(host: Host, databases: Sequence[str] = ()) -> HostFacts:
    """All facts of `host` and of its `databases`, as they are now.

    Raises `InvalidInput` where its answer does not read as facts, with line and reason.
    """
    for name in databases:
        if not _DATABASE.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name of a database")
    result = host.run(("sh", "-c", SCRIPT, "sh", new_boundary(), _FORMAT, *databases), timeout=_TIMEOUT, check=False)
    try:
        return parse(result.text, host.name, datetime.now(UTC).isoformat(timespec="milliseconds"))
    except InvalidInput as refusal:
        said = result.errors.strip().splitlines()[-3:]
        raise InvalidInput("; ".join([f"{host.name}: facts: {refusal.message}", *said])) from None


def package_digest(host: Host) -> str:
    """The `digest_of_packages` of `host` as it is now: one cheap command, for asking whether a host drifted."""
    argv = ("dpkg-query", "--show", "--showformat", apt.FORMAT)
    return digest_of_packages(apt.parse_packages(host.run(argv).text.splitlines()))


def parse(text: str, host: str, taken_at: str) -> HostFacts:
    """The facts that the script's output tells. Raises `InvalidInput` with line and reason when it is not whole, or not ours."""
    first, _, _ = text.partition("\n")
    if not first.startswith(f"{_FIRST} ==="):
        raise InvalidInput(f"line 1: no facts of this version: {first[:80]!r}")
    sections = split(text, first.removeprefix(f"{_FIRST} "))
    if missing := [name for name in _PARSED if name not in sections]:
        raise InvalidInput(f"the answer lacks {', '.join(missing)}")
    digests = _digests(sections["digests"])
    packages, conffiles = _packages(sections["packages"].succeeded(), digests)
    return HostFacts(
        host=host,
        taken_at=taken_at,
        os=_system(sections, apt.native(packages)),
        packages=apt.marked(
            packages, (*sections["auto"].succeeded().text.split(), *apt.parse_states(sections["states"]))
        ),
        conffiles=tuple(sorted(conffiles, key=attrgetter("path", "package"))),
        services=parse_services(sections),
        sources=tuple(Source(path, digest) for path, digest in sorted(digests.items()) if _SOURCES.fullmatch(path)),
        repositories=apt.parse_policy(sections["policy"].succeeded()),
        databases=tuple(sorted(_databases(sections.values()), key=lambda database: database.name)),
    )


_PARSED = ("os", "kernel", "machine", "packages", "states", "auto", "policy", "digests", "units", "links", "files")


def _system(sections: Mapping[str, Section], arch: str) -> OperatingSystem:
    """os-release(5): `KEY=value`, quoted as a shell would."""
    values: dict[str, str] = {}
    section = sections["os"].succeeded()
    for offset, line in section.lines():
        if line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        try:
            words = shlex.split(value)
        except ValueError:
            words = [value, ""]
        if not equals or len(words) > 1:
            raise section.fail(f"no KEY=value: {line!r}", offset)
        values[key] = "".join(words)
    return OperatingSystem(
        id=values.get("ID", ""),
        version=values.get("VERSION_ID", ""),
        codename=values.get("VERSION_CODENAME", ""),
        family="deb",
        arch=arch,
        kernel=sections["kernel"].succeeded().text.strip(),
        machine_id=sections["machine"].text.strip(),
    )


def _packages(section: Section, digests: Mapping[str, str]) -> tuple[tuple[Package, ...], set[Conffile]]:
    """Lines of `apt.FORMAT`, each followed by its package's conffiles: ` path md5[ obsolete]`.

    Two architectures of one package share their conffiles: each is there once.
    """
    lines = section.text.split("\n")
    # Without their lines the packages keep their line numbers, so that a refusal names the right one.
    packages, owner, conffiles = [], "", set()
    for offset, line in enumerate(lines):
        if line.startswith(" "):
            if not (match := _CONFFILE.fullmatch(line)):
                raise section.fail(f"no conffile: {line!r}", offset)
            path = match["path"]
            conffiles.add(Conffile(path, owner, digests.get(path, ""), bool(match["obsolete"])))
        elif line:
            try:
                package = apt.parse_package(line)
            except InvalidInput as refusal:
                raise section.fail(refusal.message, offset) from None
            owner = line.partition("\t")[0]
            if package:
                packages.append(package)
    return apt.in_order(packages), conffiles


def _digests(section: Section) -> dict[str, str]:
    """`sha256sum -z`: digest, two signs, path, NUL; its status is 1 where some paths were not there."""
    if section.status not in (0, 1):
        section.succeeded()
    digests: dict[str, str] = {}
    for entry in section.text.split("\0")[:-1]:
        if not (match := _DIGEST.fullmatch(entry)):
            raise section.fail(f"no digest: {entry!r}")
        digests[match["path"]] = match["digest"]
    return digests


def _databases(sections: Iterable[Section]) -> Iterable[Database]:
    for section in sections:
        kind, _, name = section.name.partition(" ")
        if kind == "database":
            yield Database(name, section.succeeded().text.split()[0])

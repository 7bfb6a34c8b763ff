"""What is true of a host: gathered in one round trip, read-only, by a fixed script and a strict and pure parser of its output.

What is cheap was measured. `systemctl list-unit-files` costs systemd 350 ms of CPU a call, so that unit files are listed here and
only the units' present state is asked for.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from nornir_upgrade.core.database.engine import Database as Database
from nornir_upgrade.core.database.mariadb import MARIADB
from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.family import Family
from nornir_upgrade.core.packaging.model import Package, Repository, digest_of_packages
from nornir_upgrade.core.packaging.registry import families, family_of, probing_order, settle
from nornir_upgrade.core.packaging.state import Conffile as Conffile
from nornir_upgrade.core.packaging.state import Packaged
from nornir_upgrade.core.packaging.state import SourceFile as SourceFile
from nornir_upgrade.core.state import entries
from nornir_upgrade.core.state.entries import Entry as Entry
from nornir_upgrade.core.state.places import Area
from nornir_upgrade.core.transport.disk import refuse_full
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.odd_names import written_out
from nornir_upgrade.core.transport.sections import SHELL, Section, new_boundary, split
from nornir_upgrade.core.transport.unreadable import unreadable

from .services import Service as Service
from .services import parse_services

_FIRST = "facts 1"
_TIMEOUT = 300.0  # seconds: dumps of databases are read

_UNKNOWN = "unmanaged"

_HEAD = (
    SHELL
    + f"""\
export LC_ALL=C
show() {{ while IFS= read -r line || [ "$line" ]; do printf '%s\\n' "$line"; done < "$1"; }}
{{
echo "{_FIRST} $boundary"
mark begin 0
show /etc/os-release; mark os $?
show /proc/sys/kernel/osrelease; mark kernel $?
[ ! -f /etc/machine-id ] || show /etc/machine-id; mark machine 0
"""
)
_TAIL = (
    """\
if [ -d /run/systemd/system ]; then
  systemctl list-units --state=active,reloading --full --plain --no-legend '*.service'; mark units $?
else
  mark units 0
fi
units='/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system'
[ -L /lib ] || units="$units /lib/systemd/system"
find $units /run/systemd/generator -maxdepth 2 -path '*/lib/systemd/system/*' -type d -prune -o \\
  -name '*.service' -type l -printf '%p\\t%l\\n' 2>/dev/null; mark links 0
services=
for directory in $units; do services="$services $directory/*.service"; done
grep -lsE '^\\[Install\\]' -- $services
for file in /run/systemd/generator.late/*.service; do [ ! -f "$file" ] || printf '%s\\n' "$file"; done; mark files 0
"""
    + entries.SCRIPT
    + MARIADB.digest_script
    + """\
mark end 0
"""
    # All of it at once: what comes in fifty pieces takes fifty packets, and both ends and all between to handle each of them.
    + """\
} | dd ibs=64K obs=1M status=none
"""
)


def script() -> str:
    """The fixed script, with the part of each manager that is registered: a host has one of them."""
    parts = ((family, family.facts.SCRIPT) for family in probing_order())
    return f"{_HEAD}{_of_own(parts)}else mark {_UNKNOWN} 0\nfi\n{_TAIL}"


def digest_script() -> str:
    """The script that names the host's manager in its first line, and lists its packages in the others."""
    parts = ((family, f"echo {family.name}\n{family.facts.DIGEST}\n") for family in probing_order())
    return f"{_of_own(parts)}else echo 'no package manager that is known' >&2; exit 1\nfi\n"


def _of_own(parts: Iterable[tuple[Family, str]]) -> str:
    """The branches of a shell's `if`: of these parts, the one of the host's own manager."""
    return "el".join(f"if {family.own}; then\n{part}" for family, part in parts)


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """/etc/os-release and the kernel. `family` is the format of its packages (`deb`, `rpm`), `manager` its package manager (`apt`,
    `dnf4`), and `arch` that manager's native architecture. What was written before managers had names has none: it is the format's
    first."""

    id: str
    version: str
    codename: str
    family: str
    arch: str
    kernel: str
    machine_id: str
    manager: str = ""

    def __post_init__(self) -> None:
        """Raises `InvalidInput` where the manager has another format."""
        format = self.family
        settle(self)
        if self.family != format:
            raise InvalidInput(f"{self.manager} has {self.family} packages, not {format}")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All that is true of one host at `taken_at` (UTC, ISO 8601, the controller's clock). Every tuple is sorted.

    `picture` is the digest of the picture of all its files in the store, '' where none was taken.
    `areas` are those that `entries` were gathered of: where one is not there, nobody looked.
    """

    host: str
    taken_at: str
    os: OperatingSystem
    packages: tuple[Package, ...]
    conffiles: tuple[Conffile, ...]
    services: tuple[Service, ...]
    sources: tuple[SourceFile, ...]
    repositories: tuple[Repository, ...]
    databases: tuple[Database, ...] = ()
    picture: str = ""
    areas: tuple[Area, ...] = ()
    entries: tuple[Entry, ...] = ()


def gather(host: Host, databases: Sequence[str] = ()) -> HostFacts:
    """All facts of `host` and of its `databases`, as they are now.

    Raises `HostUnreadable` where its answer does not read as facts, naming the command, and `InvalidInput` for a name that is none.
    """
    for name in databases:
        MARIADB.check_name(name)
    result = host.run(("sh", "-c", script(), "sh", new_boundary(), *databases), timeout=_TIMEOUT, check=False)
    try:
        return parse(written_out(result.text), host.name, datetime.now(UTC).isoformat(timespec="milliseconds"))
    except InvalidInput as refusal:
        refuse_full(host.name, result.status or 1, result.errors)
        raise unreadable(host.name, "its state", refusal, result.errors) from None


def package_digest(host: Host) -> str:
    """The `digest_of_packages` of `host` as it is now: one cheap command, for asking whether a host drifted."""
    answer = host.run(("sh", "-c", digest_script(), "sh", new_boundary())).text
    manager, _, packages = answer.partition("\n")
    return digest_of_packages(family_of(manager).facts.parse_digest(packages))


def parse(text: str, host: str, taken_at: str) -> HostFacts:
    """The facts that the script's output tells. Raises `InvalidInput` with line and reason when it is not whole, or not ours."""
    first, _, _ = text.partition("\n")
    if not first.startswith(f"{_FIRST} ==="):
        raise InvalidInput(f"line 1: no facts of this version: {first[:80]!r}")
    sections = split(text, first.removeprefix(f"{_FIRST} "))
    family = _family(sections)
    if missing := [name for name in (*_PARTS, *family.facts.PARTS) if name not in sections]:
        raise InvalidInput(f"the answer lacks {', '.join(missing)}")
    packaged = family.facts.parse(sections)
    areas, entries_ = entries.parse(sections, family.format.name)
    return HostFacts(
        host=host,
        taken_at=taken_at,
        os=_system(sections, packaged, family),
        packages=packaged.packages,
        conffiles=packaged.conffiles,
        services=parse_services(sections),
        sources=packaged.sources,
        repositories=packaged.repositories,
        databases=MARIADB.parse_digests(sections.values()),
        areas=areas,
        entries=entries_,
    )


def _family(sections: Mapping[str, Section]) -> Family:
    """The manager whose part of the script answered. Raises `InvalidInput` where none did."""
    if _UNKNOWN in sections:
        known = ", ".join(family.name for family in families())
        raise InvalidInput(f"it has no package manager that is known: {known}")
    return next((family for family in families() if family.facts.SIGN in sections), families()[0])


_PARTS = ("os", "kernel", "machine", "units", "links", "files")


def _system(sections: Mapping[str, Section], packaged: Packaged, family: Family) -> OperatingSystem:
    """os-release(5): `KEY=value`, quoted as a shell would."""
    section = sections["os"].succeeded()
    values = dict(_setting(section, offset, line) for offset, line in section.lines() if not line.startswith("#"))
    return OperatingSystem(
        id=values.get("ID", ""),
        version=values.get("VERSION_ID", ""),
        codename=values.get("VERSION_CODENAME", ""),
        family=family.format.name,
        manager=family.name,
        arch=packaged.arch,
        kernel=sections["kernel"].succeeded().text.strip(),
        machine_id=sections["machine"].text.strip(),
    )


def _setting(section: Section, offset: int, line: str) -> tuple[str, str]:
    key, equals, value = line.partition("=")
    words = _words(value)
    if not equals or len(words) > 1:
        raise section.fail(f"no KEY=value: {line!r}", offset)
    return key, "".join(words)


@lru_cache(maxsize=1 << 10)
def _words(value: str) -> tuple[str, ...]:
    """The shell words of a value; two where it is none."""
    try:
        return tuple(shlex.split(value))
    except ValueError:
        return (value, "")

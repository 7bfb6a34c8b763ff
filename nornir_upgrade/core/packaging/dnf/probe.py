"""Inspection of an rpm host: what rpm and dnf know beyond facts. Fixed script, pure parsers.

Run for real with rpm 4.18 and dnf 4.14.
"""

import re
from collections.abc import Mapping
from configparser import Error, RawConfigParser

from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.transport.disk import HOME
from nornir_upgrade.core.transport.sections import Section

from . import transaction

PARTS: tuple[str, ...] = ("booted", "replaced")
"""The parts of the answer that are needed beside the common ones."""

# What a running system keeps on using after an upgrade (dnf-plugins-core, needs_restarting.py, NEED_REBOOT).
_CORE = "kernel kernel-core kernel-rt kernel-rt-core glibc linux-firmware systemd openssl-libs gnutls dbus dbus-broker microcode_ctl"

# What repositories offer is asked of the indexes that the host has, by links to them and without plugins: dnf writes beside what it
# reads, and one of them into the host's own cache all the same. A host that has none yet cannot tell. A package may have been replaced
# in the very second of the start: it is taken for older.
_LINKS = 32 << 10
"""Kibibytes that dnf may make of indexes that nobody has read yet."""

SCRIPT = f"""\
{HOME}{transaction.HOLDERS}{transaction.SCRIPTS}\
room / /usr /boot /tmp /var/cache/dnf /var/lib/rpm /var/lib/nornir-upgrade; mark rooms $?
at_work 'dnf dnf-3 dnf5 yum rpm dnf-automatic yum-cron'; mark work 0
rpm -qa --qf '%{{NAME}}\\t%{{ARCH}}\\t%{{LONGSIZE}}\\n'; mark sizes $?
rpm -Va --configfiles --nodeps --noscripts 2>/dev/null; mark edited 0
(
  umask 077
  home {_LINKS} 2>/dev/null
  find /var/cache/dnf -mindepth 1 -name packages -prune -o -type d -printf '%P\\0' | (cd "$root" && xargs -0r mkdir -p --)
  find /var/cache/dnf -name packages -prune -o -type f ! -name '*.pid' -printf '%P\\0' |
    (cd "$root" && xargs -0 -I '{{}}' ln -s '/var/cache/dnf/{{}}' '{{}}')
  rpm -qa --qf '%{{NAME}}\\n' | sort -u | xargs dnf --noplugins -C -q --setopt=cachedir="$root" --setopt=logdir="$root" \\
    repoquery --available --qf '%{{name}}\\t%{{evr}}' -- 2>/dev/null
); mark offered $?
for file in /etc/yum.repos.d/*.repo; do
  [ ! -f "$file" ] || {{ printf '# file %s\\n' "$file"; cat "$file"; echo; }}
done; mark unchecked 0
stat -c %Y /proc/1; mark booted $?
rpm -q --qf '%{{INSTALLTIME}} %{{NAME}}\\n' {_CORE}; mark replaced 0
"""

BYTES = r"rpm -qa --qf '%{NAME}\t%{ARCH}\t%{SIZE}\n'"

# What packages name. A package a line on stdin: `name`, tab, architecture. `%` stands before each line of a script, so that no
# line is another's.
NAMED = """\
while IFS='\t' read -r name arch; do
  printf 'package\\t%s\\t%s\\n' "$name" "$arch"
  rpm -q --qf '%{PREUN}\\n%{POSTUN}\\n' -- "$name.$arch" | sed 's/^/postrm%/'
  rpm -ql -- "$name.$arch" | grep -E '^/usr/lib/systemd/system/[^/]+$' | sed 's/^/unit%/'
  rpm -qc -- "$name.$arch" | grep -E '^/etc/.' | sed 's/^/list%/'
done; mark named 0
mark owned 0
"""
OWNED = """\
owned=$(rpm -qal | grep -E "^($bases)/.")
"""

_VERIFIED = re.compile(r"(?P<marks>[.?SM5DLUGTP]{8,9}) +(?:[cdglr] )?(?P<path>/.*)")
_FILE = "# file "


def sizes(section: Section) -> Mapping[PackageName, int]:
    """`name, architecture, bytes` a line; where a package stands in several versions the largest counts."""
    size_of: dict[PackageName, int] = {}
    for offset, line in section.succeeded().lines():
        fields = line.split("\t")
        if len(fields) != 3 or not fields[2].isdecimal():
            raise section.fail(f"no size of a package: {line!r}", offset)
        name = PackageName(fields[0], fields[1])
        size_of[name] = max(size_of.get(name, 0), int(fields[2]))
    return size_of


def edited(section: Section) -> tuple[str, ...]:
    """rpm(8), VERIFY OPTIONS: `5` among the marks says that the digest differs; what is missing was not edited."""
    matches = (_VERIFIED.fullmatch(line) for _, line in section.lines())
    return tuple(sorted({match["path"] for match in matches if match and "5" in match["marks"]}))


def offered(section: Section) -> frozenset[tuple[str, str]] | None:
    """`name, version` a line."""
    if section.status != 0:
        return None
    pairs = (line.partition("\t") for _, line in section.lines())
    return frozenset((name, version) for name, tab, version in pairs if tab)


def unchecked(section: Section) -> tuple[str, ...]:
    """Files with an enabled repository that says `gpgcheck=0`; what cannot be read is another's finding."""
    texts: dict[str, str] = {}
    path = ""
    for line in section.text.split("\n"):
        if line.startswith(_FILE):
            path = line.removeprefix(_FILE)
        texts[path] = f"{texts.get(path, '')}{line}\n"
    return tuple(path for path, text in texts.items() if path and _trusting(text))


def reboot(sections: Mapping[str, Section]) -> tuple[str, ...]:
    """What was replaced since the host started; rpm says `package NAME is not installed` of the others."""
    booted = sections["booted"].succeeded()
    if not booted.text.strip().isdecimal():
        raise booted.fail(f"no time: {booted.text!r}")
    rows = (line.split(" ", 1) for _, line in sections["replaced"].lines())
    return tuple(
        sorted({row[1] for row in rows if row[0].isdecimal() and len(row) == 2 and int(row[0]) > int(booted.text)})
    )


def _trusting(text: str) -> bool:
    reader = RawConfigParser(strict=False, interpolation=None)
    try:
        reader.read_string(text)
        options = [reader[name] for name in reader.sections() if name != "main"]
        return any(
            section.getboolean("enabled", True) and not section.getboolean("gpgcheck", True) for section in options
        )
    except (Error, ValueError):
        return False

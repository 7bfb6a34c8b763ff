"""Inspection of a Debian host: what dpkg and apt know beyond facts. Fixed script, pure parsers."""

from collections.abc import Mapping

from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.transport.disk import UNCACHED
from nornir_upgrade.core.transport.sections import Section

from . import transaction

PARTS: tuple[str, ...] = ()
"""The parts of the answer that are needed beside the common ones."""

# dpkg remembers of each conffile the digest that the package shipped: what md5sum(1) cannot confirm was edited. What
# repositories offer is asked of the indexes that the host has, under the names of what it has installed.
SCRIPT = f"""\
{transaction.HOLDERS}{transaction.SCRIPTS}{UNCACHED}\
room / /usr /boot /tmp /var/cache/apt/archives /var/lib/dpkg /var/lib/nornir-upgrade; mark rooms $?
at_work 'apt apt-get aptitude dpkg unattended-upgr do-release-upgr'; mark work 0
dpkg-query --show --showformat '${{Package}}\\t${{Architecture}}\\t${{Installed-Size}}\\n'; mark sizes $?
dpkg-query --show --showformat '${{Conffiles}}\\n' |
  sed -nE 's/^ (\\/.*) ([0-9a-f]{{32}})( obsolete)?( remove-on-upgrade)?$/\\2  \\1/p' | md5sum --check --quiet 2>/dev/null
mark edited 0
said=$(dpkg-query --show --showformat '${{Package}}\\n' | xargs -r apt-cache $uncached madison -- 2>/dev/null); status=$?
printf '%s\\n' "$said" | sed -nE 's/^ *([^ |]+) *\\| *([^ |]+) *\\|.* Packages$/\\1\\t\\2/p' | sort -u; mark offered $status
grep -lsE '^[^#]*(trusted|allow-insecure)=yes|^(Trusted|Allow-Insecure): *yes' /etc/apt/sources.list /etc/apt/sources.list.d/*
mark unchecked 0
"""

BYTES = r"dpkg-query -W -f '${Package}\t${Architecture}\t${Installed-Size}000\n'"

# What packages name. A package a line on stdin: `name`, tab, architecture. `%` stands before each line of a script, so that no
# line is another's.
NAMED = """\
{
while IFS='\t' read -r name arch; do
  for base in "/var/lib/dpkg/info/$name" "/var/lib/dpkg/info/$name:$arch"; do
    [ -f "$base.list" ] || continue
    printf 'package\\t%s\\t%s\\n' "$name" "$arch"
    for script in postrm prerm postinst preinst; do
      [ ! -f "$base.$script" ] || { sed "s/^/$script%/" "$base.$script"; echo; }
    done
    grep -E "^($bases)/." "$base.list" | sed 's/^/list%/'
    grep -E '^((/usr)?/lib/systemd/system|/etc/init[.]d)/[^/]+$' "$base.list" | sed 's/^/unit%/'
    grep -E '^/usr/lib/sysusers[.]d/' "$base.list" | while IFS= read -r file; do
      [ ! -f "$file" ] || { sed 's/^/users%/' "$file"; echo; }
    done
  done
done
}; mark named 0
grep -HE "^($bases)/." /var/lib/dpkg/info/*.list; mark owned 0
"""
OWNED = """\
owned=$(grep -hE "^($bases)/." /var/lib/dpkg/info/*.list)
"""

_EDITED = ": FAILED"


def sizes(section: Section) -> Mapping[PackageName, int]:
    """`name, architecture, kibibytes` a line; a package need not say its size (Debian Policy 5.6.20)."""
    size_of = {}
    for offset, line in section.succeeded().lines():
        name, arch, size = (*line.split("\t"), "", "")[:3]
        if not arch or not (size or "0").isdecimal():
            raise section.fail(f"no size of a package: {line!r}", offset)
        size_of[PackageName(name, arch)] = int(size or 0) * 1024
    return size_of


def edited(section: Section) -> tuple[str, ...]:
    """What md5sum(1) --check --quiet says; one that is not there was not edited."""
    return tuple(sorted(line.removesuffix(_EDITED) for _, line in section.lines() if line.endswith(_EDITED)))


def offered(section: Section) -> frozenset[tuple[str, str]] | None:
    """`name, version` a line (apt-cache(8), madison); where apt takes none of its sources it cannot tell."""
    if section.status != 0:
        return None
    return frozenset(_pair(section, *line) for line in section.lines())


def unchecked(section: Section) -> tuple[str, ...]:
    """Paths, a line each."""
    return tuple(line for _, line in section.lines())


def reboot(_: Mapping[str, Section]) -> tuple[str, ...]:
    """Nothing beyond what Debian's own packages ask for."""
    return ()


def _pair(section: Section, offset: int, line: str) -> tuple[str, str]:
    name, tab, version = line.partition("\t")
    if not tab:
        raise section.fail(f"no version: {line!r}", offset)
    return name, version

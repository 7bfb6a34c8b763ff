"""Facts of a Debian host: dpkg's packages and their conffiles, apt's marks, sources and indexes.

Never read: dpkg's status file, which lies after a crash.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.packaging.state import Conffile, Packaged, SourceFile, digests
from nornir_upgrade.core.transport.disk import UNCACHED
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.transport.sections import Section
from nornir_upgrade.core.version.evr import check_arch, check_name

from . import apt

FORMAT = apt.FORMAT + r"${Conffiles}\n"
SIGN = "policy"
PARTS: tuple[str, ...] = ("packages", "auto", "policy", "digests")
"""The parts of the answer that are needed."""

_SOURCES = re.compile(
    r"/etc/apt/(sources\.list|preferences|trusted\.gpg)(\.d/.*)?|/etc/apt/keyrings/.*|/usr/share/keyrings/.*"
)
_CONFFILE = re.compile(r" (?P<path>/.*) (?:[0-9a-f]{32}|newconffile)(?P<obsolete> obsolete)?(?: remove-on-upgrade)?")

# Passes dpkg-query's answer on, and then tells as apt-mark would what the file after it marks; a line that is none of such a file's
# comes as it is. Tells on stderr the architecture that dpkg itself is of, and below it every conffile.
_PICK = r"""
NR > FNR && /^Package: ./ { name = substr($0, 10); next }
NR > FNR && /^Architecture: ./ { arch = substr($0, 15); next }
NR > FNR && /^Auto-Installed: 1$/ { print name ":" arch; next }
NR > FNR && /^$/ { name = arch = "" }
NR > FNR && /^([A-Z][A-Za-z-]*: .+)?$/ { next }
NR > FNR { print; next }
NF { print }
/^ / { sub(/ remove-on-upgrade$/, ""); sub(/ obsolete$/, ""); sub(/ [^ ]*$/, ""); files = files "\n" substr($0, 2) }
/^dpkg\t/ { native = $2 }
END { print native files > "/dev/stderr" }
"""

# A shell takes longer to read the list than dpkg-query to make it; awk is on every host, as base-files
# pre-depends on it. The file is where apt keeps its marks (apt-mark(8), FILES), replaced as a whole: asking apt-mark would cost a host
# ten times as much.
SCRIPT = (
    f"""\
format={quote((FORMAT,))}
states=/var/lib/apt/extended_states
[ -f $states ] || states=
exec 3>&1
picked=$({{ dpkg-query --show --showformat "$format"; mark packages $?; }} | awk -F '\t' '{_PICK}' - $states 2>&1 >&3)
status=$?
exec 3>&-
if [ ! "$states" ] && [ $status = 0 ]; then apt-mark showauto; status=$?; fi
mark auto $status
"""
    # One process for all digests, which would read standard input if there were no name at all. A path that is not there is told
    # on stderr, and is simply not listed.
    + """\
IFS='
'
native=${picked%%"$IFS"*} files=/dev/null
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
sha256sum -z -- $files ${picked#"$native"} 2>/dev/null; mark digests $?
set +f; unset IFS
"""
    # Where no other architecture was ever added, apt need not start dpkg to be told of them: dpkg(1), --add-architecture, and the
    # file that it keeps them in has the host's own first, where there is one.
    + """\
case $native in
  *[!a-z0-9-]*) native= ;;
esac
if [ -e /var/lib/dpkg/arch ]; then
  { read -r one; read -r other; } < /var/lib/dpkg/arch
  [ "$one$other" = "$native" ] || native=
fi
"""
    + f"""\
{UNCACHED}\
apt-cache $uncached ${{native:+"-oAPT::Architectures=$native"}} policy; mark policy $?
"""
)


DIGEST = f"exec dpkg-query --show --showformat {quote((apt.FORMAT,))}"


def parse_digest(text: str) -> tuple[Package, ...]:
    """What `DIGEST` printed."""
    return apt.parse_packages(text.splitlines())


def parse(sections: Mapping[str, Section]) -> Packaged:
    """What the script's parts tell. Raises `InvalidInput` with line and reason."""
    known = digests(sections["digests"])
    packages, owned = _packages(sections["packages"], sections["auto"])
    return Packaged(
        arch=apt.native(packages),
        packages=packages,
        conffiles=tuple(Conffile(path, owner, known.get(path, ""), obsolete) for path, owner, obsolete in owned),
        sources=tuple(SourceFile(path, digest) for path, digest in sorted(known.items()) if _SOURCES.fullmatch(path)),
        repositories=apt.parse_policy(sections["policy"].succeeded()),
    )


_Owned = tuple[str, str, bool]
"""A conffile's path, the package that it is of, and whether it is obsolete."""


@lru_cache(maxsize=64)
def _packages(section: Section, auto: Section) -> tuple[tuple[Package, ...], tuple[_Owned, ...]]:
    """Lines of `apt.FORMAT`, each followed by its package's conffiles: ` path md5[ obsolete]`; and apt's marks.

    Two architectures of one package share their conffiles. Hosts that were set up alike tell the same to the byte: it is read once.
    """
    packages, owner, owned = [], "", []
    for offset, line in enumerate(section.succeeded().text.split("\n")):
        try:
            if line.startswith(" "):
                path, obsolete = _conffile(line)
                owned.append((path, owner, obsolete))
            elif line:
                package, owner = apt.parse_package(line), line.partition("\t")[0]
                if package:
                    packages.append(package)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
    return apt.marked(apt.in_order(packages), _marks(auto)), tuple(sorted(set(owned)))


def _marks(section: Section) -> Iterator[str]:
    """`name` or `name:arch` a line. The architecture of `all` is the host's own."""
    for offset, line in section.succeeded().lines():
        name, colon, arch = line.partition(":")
        try:
            check_name(name, qualified=True)
            if colon:
                check_arch(arch)
        except InvalidInput:
            raise section.fail(f"no mark of a package: {line!r}", offset) from None
        yield line


@lru_cache(maxsize=1 << 16)
def _conffile(line: str) -> tuple[str, bool]:
    """The path, and whether it is obsolete. The hosts of a fleet have most lines in common: each is read once."""
    if not (match := _CONFFILE.fullmatch(line)):
        raise InvalidInput(f"no conffile: {line!r}")
    return match["path"], bool(match["obsolete"])

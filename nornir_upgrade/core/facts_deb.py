"""Facts of a Debian host: dpkg's packages and their conffiles, apt's marks, sources and indexes.

Never read: dpkg's status file, which lies after a crash.
"""

import re
from collections.abc import Mapping
from operator import attrgetter

from . import apt
from .errors import InvalidInput
from .packaged import Conffile, Packaged, Source, digests
from .packages import Package
from .sections import Section

FORMAT = apt.FORMAT + r"${Conffiles}\n"
PARTS = ("packages", "states", "auto", "policy", "digests")
"""The parts of the answer that are needed."""

_SOURCES = re.compile(
    r"/etc/apt/(sources\.list|preferences|trusted\.gpg)(\.d/.*)?|/etc/apt/keyrings/.*|/usr/share/keyrings/.*"
)
_CONFFILE = re.compile(r" (?P<path>/.*) (?:[0-9a-f]{32}|newconffile)(?P<obsolete> obsolete)?(?: remove-on-upgrade)?")

# `$format` is `FORMAT`.
SCRIPT = (
    """\
list=$(dpkg-query --show --showformat "$format"); status=$?
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
"""
)


def parse(sections: Mapping[str, Section]) -> Packaged:
    """What the script's parts tell. Raises `InvalidInput` with line and reason."""
    known = digests(sections["digests"])
    packages, conffiles = _packages(sections["packages"].succeeded(), known)
    auto = (*sections["auto"].succeeded().text.split(), *apt.parse_states(sections["states"]))
    return Packaged(
        family="deb",
        arch=apt.native(packages),
        packages=apt.marked(packages, auto),
        conffiles=tuple(sorted(conffiles, key=attrgetter("path", "package"))),
        sources=tuple(Source(path, digest) for path, digest in sorted(known.items()) if _SOURCES.fullmatch(path)),
        repositories=apt.parse_policy(sections["policy"].succeeded()),
    )


def _packages(section: Section, known: Mapping[str, str]) -> tuple[tuple[Package, ...], set[Conffile]]:
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
            conffiles.add(Conffile(path, owner, known.get(path, ""), bool(match["obsolete"])))
        elif line:
            try:
                package = apt.parse_package(line)
            except InvalidInput as refusal:
                raise section.fail(refusal.message, offset) from None
            owner = line.partition("\t")[0]
            if package:
                packages.append(package)
    return apt.in_order(packages), conffiles

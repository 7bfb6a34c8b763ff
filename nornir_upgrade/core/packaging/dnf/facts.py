"""Facts of an rpm host: rpm's packages and their `%config` files, dnf's reasons and locks, repositories and keys."""

import re
from collections.abc import Mapping

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Package, Repository
from nornir_upgrade.core.packaging.rpm import query, repo_file
from nornir_upgrade.core.packaging.rpm.versionlock import LIST
from nornir_upgrade.core.packaging.state import Conffile, Packaged, SourceFile, digests
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.transport.sections import Section

from . import dnf4, history

SIGN = "arch"
PARTS: tuple[str, ...] = (*query.PARTS, "arch", "repositories", "digests")
"""The parts of the answer that are needed."""

_SOURCES = re.compile(r"/etc/(yum\.repos\.d|dnf/vars|yum/vars|pki/rpm-gpg)/.*|/etc/dnf/dnf\.conf")
_LEFT = re.compile(r"/.*\.rpm(new|save|orig)")

# rpm puts what it does not overwrite beside it (rpm(8), CONFIGURATION FILES): below /etc that is looked for, as the package that it
# was of may be gone. One process for all digests; a path that is not there is told on stderr, and is simply not listed.
SCRIPT = (
    f"""\
said=$({{
{query.script(history.SCRIPT, LIST, "--configfiles")}}})
printf '%s\\n' "$said"
"""
    + """\
rpm -E '%{_arch}'; mark arch $?
for file in /etc/yum.repos.d/*.repo; do
  if [ -f "$file" ]; then printf '# file %s\\n' "$file"; show "$file"; fi
done; mark repositories $?
files=/dev/null
IFS='
'
for file in /etc/dnf/dnf.conf /etc/yum.repos.d/* /etc/dnf/vars/* /etc/yum/vars/* /etc/pki/rpm-gpg/* \\
  $(find /etc -xdev -type f '(' -name '*.rpmnew' -o -name '*.rpmsave' -o -name '*.rpmorig' ')'); do
  files=$files$IFS$file
done
set -f
for line in $said; do
  case $line in
  /*) files=$files$IFS$line ;;
  esac
done
sha256sum -z -- $files 2>/dev/null; mark digests $?
set +f; unset IFS
"""
)


DIGEST = f'exec {quote(dnf4.Dnf().query()[:-1])} "$1"'  # $1: the boundary of its parts


def parse_digest(text: str) -> tuple[Package, ...]:
    """What `DIGEST` printed."""
    return dnf4.Dnf().parse_query(text)


def parse(sections: Mapping[str, Section]) -> Packaged:
    """What the script's parts tell. Raises `InvalidInput` with line and reason."""
    known = digests(sections["digests"])
    arch = sections["arch"].succeeded().text.strip()
    return Packaged(
        arch=arch,
        packages=dnf4.parse_parts(sections),
        conffiles=tuple(
            sorted(_conffiles(sections["packages"], known), key=lambda conffile: (conffile.path, conffile.package))
        ),
        sources=tuple(SourceFile(path, digest) for path, digest in sorted(known.items()) if _SOURCES.fullmatch(path)),
        repositories=_repositories(sections["repositories"], arch),
    )


def _conffiles(section: Section, known: Mapping[str, str]) -> set[Conffile]:
    """The `%config` files of every package, and what rpm left beside one, which no package has."""
    owner, conffiles = "", {Conffile(path, "", digest) for path, digest in known.items() if _LEFT.fullmatch(path)}
    for _, line in section.lines():
        if line.startswith("/"):
            conffiles.add(Conffile(line, owner, known.get(line, "")))
        else:
            owner = line.partition("\t")[0]
    return conffiles


def _repositories(section: Section, arch: str) -> tuple[Repository, ...]:
    try:
        return repo_file.repositories(section.succeeded().text, arch)
    except InvalidInput as refusal:
        raise section.fail(refusal.message) from None

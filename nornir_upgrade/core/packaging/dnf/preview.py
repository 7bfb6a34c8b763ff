"""Preview by dnf: what dnf would do with other repositories. A fixed script, and a parser of its output.

The script updates private copies of dnf's repositories, caches and history in a temporary directory. dnf then simulates against
them, with the real packages, locks and keys. Run for real with dnf 4.14.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Package, Repository
from nornir_upgrade.core.packaging.origins import Origin
from nornir_upgrade.core.packaging.rpm import query
from nornir_upgrade.core.packaging.rpm.versionlock import LIST
from nornir_upgrade.core.transport.disk import HOME as PLACE
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.transport.sections import APART, RENAMED, SHELL, Section
from nornir_upgrade.core.version import nevra

from . import dnf4, history

FORMAT = query.FORMAT
REHEARSAL, UPDATE = "dnf --assumeno", "dnf makecache"
WAY_OUT = "dnf versionlock list; dnf repolist; a lock or an exclude may be in the way"
_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+[.]repo", re.ASCII)
_INDEXES = 64 << 10
"""Kibibytes that indexes, and what dnf makes of them, take on a host that has none yet."""

# A host that works with half of its repositories would answer something else than is asked. What stands in the way of what is asked
# may go, as with apt: it is told, and in the plan. Told to say no, dnf ends with status 1.
HOME = f"""\
{PLACE}\
export LC_ALL=C
files=$2; shift 2
umask 077
need=$(find /var/cache/dnf /var/lib/dnf -name packages -prune -o -type f -printf '%k\\n' 2>/dev/null | sum)
[ "$need" -gt {_INDEXES} ] || need={_INDEXES}
home $((need * 2))
mkdir -p "$root/repos" "$root/cache" "$root/persist" "$root/log" "$root/plugins" || exit
copy() {{ [ ! -d "$1" ] || cp -a --reflink=auto "$1/." "$2/" || exit; }}
copy /etc/yum.repos.d "$root/repos"
[ ! -d /var/cache/dnf ] ||
  (cd /var/cache/dnf && find . -name packages -prune -o -type f -exec cp -a --reflink=auto --parents -t "$root/cache" {{}} +) || exit
copy /var/lib/dnf "$root/persist"
copy /etc/dnf/plugins "$root/plugins"
# This one writes to the host's own cache, whatever cachedir is.
printf '[main]\\nenabled=0\\n' > "$root/plugins/generate_completion_cache.conf"
rm -f "$root"/*/*.pid
while [ "$files" -gt 0 ]; do
  printf '%s' "$2" > "$root/repos/$1" || exit
  shift 2
  files=$((files - 1))
done
dnf() {{
  command dnf --setopt=reposdir="$root/repos" --setopt=cachedir="$root/cache" --setopt=persistdir="$root/persist" \\
    --setopt=logdir="$root/log" --setopt=pluginconfpath="$root/plugins" --setopt='*.skip_if_unavailable=False' \\
    {quote(dnf4.OPTIONS)} "$@"
}}
"""
"""The private copies, below `$root`, for a script whose arguments begin with `FORMAT`, the number of files, and name and text of
each. `dnf` is private."""

PRIVATE = (
    SHELL
    + APART
    + HOME
    + """\
mark begin 0
heard dnf --refresh makecache; told update
"""
)
"""The head of a script whose arguments begin as those of `HOME`."""

SCRIPT = (
    PRIVATE
    + f"""\
updated=$status
{query.script(history.SCRIPT, LIST)}
"""
    # A request is two arguments: words without blanks, parted by blanks; and options, parted likewise.
    + """\
offered() { dnf -C -q repoquery --qf '%{name}' "$@" 2>/dev/null; }
"""
    + RENAMED
    + """\
set -f
number=0
while [ $updated -eq 0 ] && [ $# -gt 0 ]; do
  for names in both new; do
    case $1 in
    '*') request=upgrade ;;
    *) request="install $(renamed $names "$1")" ;;
    esac
    heard dnf -C --assumeno --best --allowerasing $2 $request > "$root/said"
    case $status:$errors in
    1:*'Operation aborted.') status=0 ;;
    esac
    [ $status -ne 0 ] || break
  done
  cat "$root/said"; told $number
  number=$((number + 1))
  shift 2
done
mark end 0
"""
)


def present(sections: Mapping[str, Section]) -> tuple[Package, ...]:
    """The packages as they are."""
    return dnf4.parse_parts(sections)


def excluders(section: Section) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG001
    """dnf tells in its own table what is replaced by what: nothing more is asked."""
    return {}


def word(name: str, equals: str, version: str) -> str:
    """`name` or `name-version`. Raises `InvalidInput` for anything else, which dnf might read as another order."""
    return nevra.in_words(name, version) if equals else nevra.check_name(name)


def file_name(path: str) -> str:
    """The name under which the copy stands: dnf.conf(5) says which names dnf reads."""
    name = PurePosixPath(path).name
    if not _FILE_NAME.fullmatch(name):
        raise InvalidInput(f"{path!r} is no name of a file that dnf reads repositories from", hint="dnf.conf(5)")
    return name


class DnfOrigins:
    """Options of dnf(8)."""

    fields: tuple[str, ...] = ("repository", "advisory")

    def narrow(self, origins: Sequence[Origin], repositories: Iterable[Repository]) -> str:
        return options(origins)

    def refusal(self, origins: Sequence[Origin]) -> str:
        """One call of dnf combines its options for repositories and for advisories: both must hold."""
        kinds = {(bool(origin.repository), bool(origin.advisory)) for origin in origins}
        if len(origins) < 2 or (len(kinds) == 1 and (True, True) not in kinds):
            return ""
        return "dnf is asked for repositories or for advisories, or for both in one entry"


def options(origins: Iterable[Origin]) -> str:
    """The words of dnf with which it takes packages of `origins` alone."""
    return " ".join(dict.fromkeys(word for origin in origins for word in _words(origin)))


def _words(origin: Origin) -> Iterator[str]:
    if origin.repository:
        yield f"--repo={origin.repository}"
    if origin.advisory:
        yield f"--{origin.advisory}"

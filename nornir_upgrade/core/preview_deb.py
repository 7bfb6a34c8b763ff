"""How apt is asked what it would do with other repositories: a fixed script, and what it says.

A private copy of apt's sources and indexes, in a temporary directory, is brought up to date; then apt simulates against it with
the real state of the packages, the real preferences and the real keys.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from . import apt, transaction
from .errors import Failure, InvalidInput
from .evr import check_name, check_version
from .host import Result, quote
from .packages import Package, PackageManager
from .sections import SHELL, Section

FORMAT = apt.FORMAT
MANAGER: PackageManager = apt.Apt()
REHEARSAL, UPDATE = "apt-get -s", "apt-get update"
WAY_OUT = "apt-mark showhold; apt-cache policy; a hold or a pin may be in the way"
EVERYTHING = "*"
_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+[.](list|sources)", re.ASCII)

# Directories are apt's (apt.conf(5)): sources, indexes and caches are private. Hooks that belong to a real update do not run.
# A host that works with half of its indexes would answer something else than is asked.
APT_CONF = """\
Dir::Etc::sourceparts "$root/sources";
Dir::State::lists "$root/lists";
Dir::Cache "$root/cache";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""

# Only new indexes are fetched, since the present ones are copied. apt fetches as another user, who must get at the directory.
HOME = f"""\
export LC_ALL=C
format=$1 files=$2; shift 2
umask 022
root=$(mktemp -d /var/tmp/nornir-upgrade.XXXXXXXXXX) || exit 1
trap 'rm -rf "$root"' EXIT
trap 'exit 1' HUP INT TERM
chmod 711 "$root"
mkdir -p "$root/sources" "$root/lists/partial" "$root/cache/archives/partial"
cp -a /etc/apt/sources.list.d/. "$root/sources/" 2>/dev/null
cp -a /var/lib/apt/lists/. "$root/lists/" 2>/dev/null
while [ "$files" -gt 0 ]; do
  printf '%s' "$2" > "$root/sources/$1"
  shift 2
  files=$((files - 1))
done
cat > "$root/apt.conf" <<EOF
{APT_CONF}EOF
"""
"""The private copy, `$root`, for a script whose arguments begin with `FORMAT`, the number of files, and name and text of each."""

PRIVATE = (
    SHELL
    + HOME
    + """\
mark begin 0
apt-get -q -c "$root/apt.conf" update 2>&1; status=$?; mark update $status
"""
)
"""The head of a script whose arguments begin with `FORMAT`, the number of files, and name and text of each."""

SCRIPT = (
    PRIVATE
    + """\
dpkg-query --show --showformat "$format"; mark packages $?
"""
    # A request is one argument: words without blanks, parted by blanks.
    + f"""\
set -f
number=0
[ $status -eq 0 ] && for request do
  case $request in
  '{EVERYTHING}') request=dist-upgrade ;;
  *) request="install -- $request" ;;
  esac
  apt-get -s -c "$root/apt.conf" {quote(apt.OPTIONS)} $request 2>&1; mark $number $?
  number=$((number + 1))
done
mark end 0
"""
)


def present(sections: Mapping[str, Section]) -> tuple[Package, ...]:
    """The packages as they are."""
    return apt.parse_packages(sections["packages"].succeeded().text.splitlines())


def failure(host: str, result: Result, command: str) -> Failure:
    return transaction.failure(host, result, command)


def word(name: str, equals: str, version: str) -> str:
    """`name` or `name=version`. Raises `InvalidInput` for anything else, which apt might read as another order."""
    return f"{check_name(name)}={check_version(version)}" if equals else check_name(name)


def file_name(path: str) -> str:
    """The name under which the copy stands: sources.list(5) says which names apt reads."""
    name = PurePosixPath(path).name
    if not _FILE_NAME.fullmatch(name):
        raise InvalidInput(f"{path!r} is no name of a file that apt reads sources from", hint="sources.list(5)")
    return name

"""What a host's own apt would do with other repositories, found out on the host without changing it.

A private copy of apt's sources and indexes, in a temporary directory, is brought up to date; then apt simulates against it with
the real state of the packages, the real preferences and the real keys.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from . import apt, transaction
from .errors import CommandFailed, Failure, InvalidInput, NoSolution, Unobtainable
from .evr import check_name, check_version
from .host import Host, Result, quote
from .packages import Package, Transaction
from .sections import SHELL, Section, new_boundary, split

EVERYTHING = ("*",)
"""The request for every package of the host at its candidate, with what they need and without what is in their way."""

_TIMEOUT = 600.0  # seconds: indexes are fetched
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
SCRIPT = (
    SHELL
    + f"""\
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
mark begin 0
apt-get -q -c "$root/apt.conf" update 2>&1; status=$?; mark update $status
dpkg-query --show --showformat "$format"; mark packages $?
"""
    # A request is one argument: words without blanks, parted by blanks.
    + f"""\
set -f
number=0
[ $status -eq 0 ] && for request do
  case $request in
  '{EVERYTHING[0]}') request=dist-upgrade ;;
  *) request="install -- $request" ;;
  esac
  apt-get -s -c "$root/apt.conf" {quote(apt.OPTIONS)} $request 2>&1; mark $number $?
  number=$((number + 1))
done
mark end 0
"""
)


def preview(
    host: Host, repositories: Mapping[str, str], requests: Mapping[str, Sequence[str]]
) -> Mapping[str, Transaction]:
    """What installing each of `requests` would do on `host` with the files `repositories` (path -> text) among its sources.

    A request is names, each to be at its candidate version, or `name=version`, or `EVERYTHING`. Nothing on the host changes.
    Raises `Unobtainable` naming the packages that no index has, or the index that cannot be fetched; `NoSolution` when a request
    cannot be met.
    """
    words = {name: " ".join(_checked(request)) for name, request in requests.items()}
    arguments = [text for path, content in repositories.items() for text in (_file_name(path), content)]
    argv = ("sh", "-c", SCRIPT, "sh", new_boundary(), apt.FORMAT, str(len(repositories)), *arguments, *words.values())
    result = host.run(argv, timeout=_TIMEOUT)
    sections = split(result.text, argv[4])
    if sections["update"].status != 0:
        failure = _failure(host, sections["update"], "apt-get update with the new repositories")
        hint = "nothing was changed; see the repository's address, and its key on the host"
        raise Unobtainable(failure.message, hint=hint) if isinstance(failure, CommandFailed) else failure
    packages = apt.parse_packages(sections["packages"].succeeded().text.splitlines())
    return {name: _transaction(host, sections[str(number)], name, packages) for number, name in enumerate(words)}


def _transaction(host: Host, section: Section, request: str, packages: Sequence[Package]) -> Transaction:
    if section.status != 0:
        failure = _failure(host, section, f"apt-get -s for {request}")
        hint = (
            "nothing was changed; on the host: apt-mark showhold; apt-cache policy; a hold or a pin may be in the way"
        )
        raise NoSolution(failure.message, hint=hint) if isinstance(failure, CommandFailed) else failure
    return apt.Apt().parse_simulation(section.text, packages)


def _failure(host: Host, section: Section, command: str) -> Failure:
    said = section.text.encode("utf-8", "surrogateescape")
    return transaction.failure(host.name, Result(section.status, said, b""), command)


def _checked(request: Sequence[str]) -> Sequence[str]:
    """`name` or `name=version` each. Raises `InvalidInput` for anything else, which apt might read as another order."""
    return request if tuple(request) == EVERYTHING else [_word(*word.partition("=")) for word in request]


def _word(name: str, equals: str, version: str) -> str:
    return f"{check_name(name)}={check_version(version)}" if equals else check_name(name)


def _file_name(path: str) -> str:
    """The name under which the copy stands: sources.list(5) says which names apt reads."""
    name = PurePosixPath(path).name
    if not _FILE_NAME.fullmatch(name):
        raise InvalidInput(f"{path!r} is no name of a file that apt reads sources from", hint="sources.list(5)")
    return name

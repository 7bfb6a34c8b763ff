"""How apt is asked what it would do with other repositories: a fixed script, and what it says.

A private copy of apt's sources and indexes, in a temporary directory, is brought up to date; then apt simulates against it with
the real state of the packages, the real preferences and the real keys.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Package, Repository
from nornir_upgrade.core.packaging.origins import RELEASE, Origin
from nornir_upgrade.core.transport.disk import HOME as PLACE
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.transport.sections import APART, RENAMED, SHELL, Section
from nornir_upgrade.core.version.evr import check_name, check_version

from . import apt
from .dependencies import fields_of

FORMAT = apt.FORMAT
REHEARSAL, UPDATE = "apt-get -s", "apt-get update"
WAY_OUT = "apt-mark showhold; apt-cache policy; a hold or a pin may be in the way"
EVERYTHING = "*"
_NAMES = re.compile(r"(?:^|, )([a-z0-9][a-z0-9+.-]+)")
_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+[.](list|sources)", re.ASCII)
_LETTERS = {"origin": "o", "label": "l", "suite": "a", "codename": "n", "component": "c"}
"""The fields of an index as a pin names them."""

# An installed package is upgraded only to what has at least the priority of the installed version, 100; below that a new one still
# comes where another needs it, and rather from a repository that has its full priority otherwise.
_USUAL, _INSTALLED, _LOWERED, _LOWEST = 500, 100, 90, 50
_PLAIN = '",'
"""What no field of a pin can hold."""

# Directories are apt's (apt.conf(5)): sources, indexes and caches are private. Hooks that belong to a real update do not run.
# A host that works with half of its indexes would answer something else than is asked. Translations decide nothing.
APT_CONF = """\
Dir::Etc::sourceparts "$root/sources";
Dir::State::lists "$root/lists";
Dir::Cache "$root/cache";
APT::Update::Error-Mode "any";
#clear Acquire::Languages;
Acquire::Languages { "none"; };
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
CACHES = 128 << 10
"""Kibibytes that apt's own caches of the indexes may take; where there is less room apt makes none, and takes longer."""
_INDEXES = 32 << 10
"""Kibibytes that indexes take on a host that has none yet."""

# Only new indexes are fetched, since the present ones are there as links, of which a new one takes the place. That may be all of them,
# and as much again from other repositories. apt fetches as another user, who must get at the directory.
HOME = f"""\
{PLACE}\
export LC_ALL=C
format=$1 files=$2; shift 2
umask 022
lists=/var/lib/apt/lists
need=$(find "$lists" -maxdepth 1 -type f ! -name '*_Translation-*' -printf '%k\\n' 2>/dev/null | sum)
[ "$need" -gt {_INDEXES} ] || need={_INDEXES}
[ "$files" -eq 0 ] || need=$((need * 2))
home $need
chmod 711 "$root"
mkdir -p "$root/sources" "$root/lists/partial" "$root/cache/archives/partial"
[ ! -d /etc/apt/sources.list.d ] || cp -a /etc/apt/sources.list.d/. "$root/sources/" || exit
[ ! -d "$lists" ] ||
  find "$lists" -maxdepth 1 -type f ! -name lock ! -name '*_Translation-*' -exec ln -s -t "$root/lists" -- {{}} + || exit
while [ "$files" -gt 0 ]; do
  printf '%s' "$2" > "$root/sources/$1" || exit
  shift 2
  files=$((files - 1))
done
cat > "$root/apt.conf" <<EOF || exit
{APT_CONF}EOF
if [ $((free - need)) -lt {CACHES} ]; then
  printf '%s ""; ' Dir::Cache::pkgcache Dir::Cache::srcpkgcache >> "$root/apt.conf" || exit
fi
"""
"""The private copy, `$root`, for a script whose arguments begin with `FORMAT`, the number of files, and name and text of each."""

PRIVATE = (
    SHELL
    + APART
    + HOME
    + """\
mark begin 0
heard apt-get -q -c "$root/apt.conf" update; told update
"""
)
"""The head of a script whose arguments begin with `FORMAT`, the number of files, and name and text of each."""

SCRIPT = (
    PRIVATE
    + """\
updated=$status
dpkg-query --show --showformat "$format"; mark packages $?
"""
    # A request is two arguments: words without blanks, parted by blanks; and pins, which come before the host's own
    # (apt_preferences(5)).
    + f"""\
eval "$(apt-config shell pins Dir::Etc::preferences/f)"
offered() {{ apt-cache -c "$root/apt.conf" madison "$@" 2>/dev/null | awk '{{ print $1 }}'; }}
{RENAMED}\
set -f
number=0
while [ $updated -eq 0 ] && [ $# -gt 0 ]; do
  narrow=
  if [ "$2" ]; then
    {{ printf '%s\\n' "$2"; cat "$pins" 2>/dev/null; }} > "$root/preferences"
    narrow="-o Dir::Etc::preferences=$root/preferences"
  fi
  for names in both new; do
    case $1 in
    '{EVERYTHING}') request=dist-upgrade ;;
    *) request="install -- $(renamed $names "$1")" ;;
    esac
    heard apt-get -s -c "$root/apt.conf" $narrow {quote((*apt.OPTIONS, *apt.PLAIN))} $request > "$root/said"
    [ $status -ne 0 ] || break
  done
  cat "$root/said"; told $number
  if grep -q '^Remv ' "$root/said"; then
    sed -nE 's/^Inst ([^ :]+)(:[^ ]+)? (\\[[^]]*\\] )?\\(([^ ]+) .*/\\1=\\4/p' "$root/said" |
      xargs -r apt-cache -c "$root/apt.conf" show -- 2>/dev/null | grep -E '^(Package|Version|Breaks|Conflicts): '
    mark "$number excluders" 0
  fi
  number=$((number + 1))
  shift 2
done
mark end 0
"""
)


def present(sections: Mapping[str, Section]) -> tuple[Package, ...]:
    """The packages as they are."""
    return apt.parse_packages(sections["packages"].succeeded().text.splitlines())


def excluders(section: Section) -> Mapping[str, tuple[str, ...]]:
    """Which new packages, each with its version, conflict with a package or break it, by its name: fields of stanzas, a line each."""
    packages: dict[str, dict[str, None]] = {}
    name = version = ""
    for field, value in fields_of(section.text):
        if field == "Package":
            name, version = value, ""
        elif field == "Version":
            version = value
        else:
            for word in _NAMES.findall(value):
                packages.setdefault(word, {})[f"{name} {version}".strip()] = None
    return {word: tuple(ones) for word, ones in packages.items()}


def word(name: str, equals: str, version: str) -> str:
    """`name` or `name=version`. Raises `InvalidInput` for anything else, which apt might read as another order."""
    return f"{check_name(name)}={check_version(version)}" if equals else check_name(name)


def file_name(path: str) -> str:
    """The name under which the copy stands: sources.list(5) says which names apt reads."""
    name = PurePosixPath(path).name
    if not _FILE_NAME.fullmatch(name):
        raise InvalidInput(f"{path!r} is no name of a file that apt reads sources from", hint="sources.list(5)")
    return name


class AptOrigins:
    """Pins (apt_preferences(5))."""

    fields: tuple[str, ...] = RELEASE

    def narrow(self, origins: Sequence[Origin], repositories: Iterable[Repository]) -> str:
        return preferences(origins, repositories)

    def refusal(self, origins: Sequence[Origin]) -> str:
        """Pins can name any."""
        return ""


def preferences(origins: Sequence[Origin], indexes: Iterable[Repository]) -> str:
    """A file of apt_preferences(5) with which installed packages are upgraded to versions of `origins` alone.

    `indexes`, those that the host has, keep their own priorities where they are meant. Of several general pins the first counts, and
    any that names a package counts before them.
    """
    pins = [_pin("release a=now", _INSTALLED)]
    for index in indexes:
        if fields := _fields(index):
            meant = any(origin.has(index) for origin in origins)
            pins.append(_pin(f"release {fields}", index.priority if meant else _lowered(index.priority)))
    pins += [_pin(f"release {_globs(origin)}", _USUAL) for origin in origins]
    pins.append(_pin("origin *", _LOWEST))
    return "\n".join(dict.fromkeys(pins))


def _lowered(priority: int) -> int:
    return _LOWERED if priority >= _USUAL else min(priority, _LOWEST)


def _fields(index: Repository) -> str:
    """What tells an index from others; '' where a pin cannot say it."""
    values = {letter: getattr(index, name) for name, letter in _LETTERS.items()}
    if any(character in value for value in values.values() for character in _PLAIN):
        return ""
    return ",".join(f"{letter}={value}" for letter, value in values.items() if value)


def _globs(origin: Origin) -> str:
    return ",".join(f"{letter}={glob}" for name, letter in _LETTERS.items() if (glob := getattr(origin, name)))


def _pin(what: str, priority: int) -> str:
    return f"Package: *\nPin: {what}\nPin-Priority: {priority}\n"

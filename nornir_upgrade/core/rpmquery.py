"""Every package of an rpm host in one round trip, with why it is there and whether it is locked. Pure.

rpm's database knows neither reason nor lock: dnf is asked for the one, without a look at any repository, and its file read for
the other. Run for real with rpm 4.18 and dnf 4.14.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from . import nevra
from .dnf_locks import Locked
from .errors import InvalidInput
from .packages import Package, PackageName

FORMAT = r"%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
"""One package a line for `rpm -qa --qf`; no field can hold a tab."""

_KEY = "gpg-pubkey"  # rpm keeps trusted keys among the packages
_USER, _LOCKS, _END = "user", "locks", "end"
SCRIPT = f"""\
format=$1 locks=$2; shift 2
rpm -qa --qf "$format" && echo {_USER} && "$@" || exit
echo {_LOCKS}
if [ -e "$locks" ]; then cat "$locks" && echo || exit; fi
echo {_END}
"""


def query(locks: str, user: Sequence[str]) -> tuple[str, ...]:
    """The command that lists every package; `user` is the one that lists those that somebody asked for."""
    return ("sh", "-c", SCRIPT, "sh", FORMAT, locks, *user)


def split(text: str) -> tuple[list[str], list[str], str]:
    """The packages, those that somebody asked for, and the locks. Raises `InvalidInput` where the answer is not whole."""
    lines = text.splitlines()
    if _USER not in lines or _LOCKS not in lines or lines[-1] != _END:
        raise InvalidInput(f"the list of packages is cut off at line {len(lines)}")
    user = lines.index(_USER)
    locks = lines.index(_LOCKS, user)
    return lines[:user], lines[user + 1 : locks], "\n".join(lines[locks + 1 : -1])


def parse(lines: Sequence[str], user: Sequence[str], locked: Locked) -> tuple[Package, ...]:
    """The packages, sorted by name, architecture and version; those in no line of `user` came as dependencies.

    Raises `InvalidInput` with line and reason.
    """
    asked = {_key(line, len(lines) + number) for number, line in enumerate(user, 2) if line}
    found = (_package(line, number) for number, line in enumerate(lines, 1))
    every = [_marked(one, asked, locked) for one in found if one.name != _KEY]
    return tuple(sorted(every, key=lambda one: (one.name, one.arch, one.version)))


def several(present: Iterable[Package]) -> tuple[PackageName, ...]:
    """The packages that stand in more than one version, each with its version.

    Kernels may. Of anything else that is what a transaction leaves behind that was killed between two packages.
    """
    versions: dict[PackageName, list[str]] = {}
    for package in present:
        versions.setdefault(package.key, []).append(package.version)
    return tuple(
        PackageName(key.name, key.arch, version) for key, all_ in versions.items() if len(all_) > 1 for version in all_
    )


def _package(line: str, number: int) -> nevra.Nevra:
    try:
        return _row(line)
    except InvalidInput as refusal:
        raise InvalidInput(f"list of packages, line {number}: {refusal.message}") from None


@lru_cache(maxsize=1 << 16)
def _row(line: str) -> nevra.Nevra:
    """The hosts of a fleet have most lines in common: each is read once."""
    fields = line.split("\t")
    if len(fields) != 5:
        raise InvalidInput(f"{len(fields)} fields instead of 5: {line!r}")
    name, epoch, version, release, arch = fields
    made = nevra.make(name, epoch, version, release, arch)
    if not made.arch and name != _KEY:
        raise InvalidInput(f"{name} has no architecture")
    return made


def _key(line: str, number: int) -> tuple[str, str, str]:
    try:
        one = nevra.parse(line)
    except InvalidInput as refusal:
        raise InvalidInput(f"list of packages, line {number}: {refusal.message}") from None
    return one.name, one.arch, one.evr


def _marked(one: nevra.Nevra, asked: set[tuple[str, str, str]], locked: Locked) -> Package:
    auto = (one.name, one.arch, one.evr) not in asked
    plain = Package(one.name, one.arch, one.evr, "installed", "install", auto)
    return Package(one.name, one.arch, one.evr, "installed", "hold", auto) if locked(plain) else plain

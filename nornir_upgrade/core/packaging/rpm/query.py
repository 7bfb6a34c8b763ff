"""Query: every package of an rpm host in one round trip: why it is installed, whether it is locked, whether it is whole. Pure.

rpm's database knows none of the three. Reasons and halfway packages are read from dnf's history, locks from dnf's list of locks.
Run for real with rpm 4.18 and dnf 4.14.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Package, PackageName
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.transport.sections import SHELL, Section, new_boundary, split
from nornir_upgrade.core.version import nevra

from .versionlock import Locked

FORMAT = r"%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
"""One package a line for `rpm -qa --qf`; no field can hold a tab."""

# What provides one of these may stand in several versions (dnf.conf(5), `installonlypkgs`, its default).
INSTALL_ONLY = (
    "kernel",
    "kernel-PAE",
    "installonlypkg(kernel)",
    "installonlypkg(kernel-module)",
    "installonlypkg(vm)",
    "multiversion(kernel)",
)
PARTS = ("packages", "several", "why", "locks")
"""The parts of the answer that are needed."""

_KEY = "gpg-pubkey"  # rpm keeps trusted keys among the packages
_FIRST = "packages 1"
_NOBODY = "no package provides "


@dataclass(frozen=True, slots=True)
class Why:
    """What a package manager remembers of packages: whether one came as a dependency, whether it was left halfway, and whether
    another version of it went last.
    """

    auto: Callable[[Package], bool]
    halfway: Callable[[Package], bool] = lambda _: False
    torn: Callable[[Package], bool] = lambda _: False


def script(why: str, locks: str, *options: str) -> str:
    """The shell text that tells all parts; `why` is the command that tells reasons, `locks` the file of the locks.

    `options` are rpm's, for what else it should tell of each package.
    """
    return f"""\
rpm -qa {quote(options)} --qf {quote([FORMAT])}; mark packages $?
rpm -q --qf '%{{NAME}}\\n' --whatprovides {quote(INSTALL_ONLY)}; mark several 0
{why}
mark why $?
if [ -e {locks} ]; then cat {locks}; fi; mark locks $?
"""


def query(why: str, locks: str) -> tuple[str, ...]:
    """The command that tells the parts and nothing else."""
    text = f'{SHELL}echo "{_FIRST} $boundary"\nmark begin 0\n{script(why, locks)}mark end 0\n'
    return ("sh", "-c", text, "sh", new_boundary())


def answered(text: str) -> bool:
    """Whether `text` is what `query` printed, whole or in part."""
    return text.startswith(f"{_FIRST} ===")


def sections(text: str) -> Mapping[str, Section]:
    """The parts of what `query` printed. Raises `InvalidInput` where the answer is not whole."""
    first, _, _ = text.partition("\n")
    if not answered(first):
        raise InvalidInput(f"line 1: no list of packages: {first[:80]!r}")
    sections_ = split(text, first.removeprefix(f"{_FIRST} "))
    if missing := [name for name in PARTS if name not in sections_]:
        raise InvalidInput(f"the list of packages lacks {', '.join(missing)}")
    return sections_


def parse(parts: Mapping[str, Section], why: Why, locked: Locked) -> tuple[Package, ...]:
    """The packages, sorted by name, architecture and version. Raises `InvalidInput` with line and reason.

    `broken` is what was left halfway: what a transaction brought that never ended, and where only one version may stand, all of
    several, and the one that was left when the other went: its files are the other version's, in part.
    """
    rows = _rows(parts["packages"].succeeded())
    names = frozenset(line for _, line in parts["several"].lines() if not line.startswith(_NOBODY))
    every = Counter((entry.name, entry.arch) for entry in rows)
    packages = [
        _told(entry, why, locked, every[entry.name, entry.arch], alone=entry.name not in names) for entry in rows
    ]
    return tuple(sorted(packages, key=attrgetter("name", "arch", "version")))


def several(present: Iterable[Package]) -> tuple[PackageName, ...]:
    """The packages that stand in more than one version, each with its version: kernels, and what `parse` calls broken."""
    versions: dict[PackageName, list[str]] = {}
    for package in present:
        versions.setdefault(package.key, []).append(package.version)
    return tuple(
        PackageName(key.name, key.arch, version) for key, all_ in versions.items() if len(all_) > 1 for version in all_
    )


def _told(entry: nevra.Nevra, why: Why, locked: Locked, versions: int, *, alone: bool) -> Package:
    plain = Package(entry.name, entry.arch, entry.evr, "installed", "install", auto=False)
    return replace(
        plain,
        auto=why.auto(plain),
        selection="hold" if locked(plain) else "install",
        broken=why.halfway(plain) or (alone and (versions > 1 or why.torn(plain))),
    )


def _rows(section: Section) -> list[nevra.Nevra]:
    """The lines of `FORMAT`; what rpm says of a package's files stands between them."""
    rows = []
    for offset, line in section.lines():
        try:
            if not of_files(line) and (entry := row(line)).name != _KEY:
                rows.append(entry)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
    return rows


def of_files(line: str) -> bool:
    """Whether the line is no package's own, but tells of its files (rpm(8), --configfiles)."""
    return line.startswith("/") or line == "(contains no files)"


@lru_cache(maxsize=1 << 16)
def row(line: str) -> nevra.Nevra:
    """The package of one `FORMAT` line. The hosts of a fleet have most lines in common: each is read once."""
    fields = line.split("\t")
    if len(fields) != 5:
        raise InvalidInput(f"{len(fields)} fields instead of 5: {line!r}")
    name, epoch, version, release, arch = fields
    entry = nevra.make(name, epoch, version, release, arch)
    if not entry.arch and name != _KEY:
        raise InvalidInput(f"{name} has no architecture")
    return entry

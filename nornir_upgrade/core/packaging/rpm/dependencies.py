"""rpm's packages and what they demand of each other, and where that is read: the host's own database, an index. Pure.

What counts are Requires, Provides, Conflicts, Obsoletes and the files of a package. Recommends, Suggests, Supplements and Enhances
do not decide whether a set of packages can stand together. Requires of `rpmlib(...)` are met by rpm itself, and `gpg-pubkey` are
keys, not packages: neither is kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.version import nevra

from .rich_dependencies import Capability, Dependency, Rich, capability, parse

Control = tuple[tuple[str, str], ...]

FIELDS = ("Requires", "Conflicts", "Obsoletes", "Provides", "Files")
"""The fields that a `RpmPackage` is made of: dependencies as in a spec file, and paths, one a line."""

_KEY = "gpg-pubkey"
RPMLIB = "rpmlib("


@dataclass(frozen=True, slots=True)
class RpmPackage:
    """One version of one package. It provides its own name in its version, whether `provides` says so or not."""

    name: str
    arch: str
    version: str
    requires: tuple[Dependency, ...] = ()
    conflicts: tuple[Dependency, ...] = ()
    obsoletes: tuple[Capability, ...] = ()
    provides: tuple[Capability, ...] = ()
    files: frozenset[str] = frozenset()

    @property
    def key(self) -> PackageName:
        """What the package is told apart by, unless several versions of it stand side by side."""
        return PackageName(self.name, self.arch)

    @property
    def itself(self) -> Capability:
        """The package as Obsoletes, and all that name it, see it."""
        return Capability(self.name, "=", self.version)

    def __str__(self) -> str:
        return f"{self.name}={self.version}"


@dataclass(frozen=True, slots=True)
class RpmEntry:
    """A package as an index or a host lists it. `control` are its fields by name (`FIELDS`); `digest` is the SHA-256 of its file and
    `size` that in bytes, where an index says so.
    """

    name: str
    arch: str
    version: str
    control: Control = ()
    digest: str = ""
    size: int = 0

    @property
    def rpm(self) -> RpmPackage:
        """The package with its dependencies taken apart. Raises `InvalidInput` where rpm could not read one."""
        return rpm(self.name, self.arch, self.version, self.control)


def rpm(name: str, arch: str, version: str, control: Iterable[tuple[str, str]] = ()) -> RpmPackage:
    """The package with these fields; others than `FIELDS` do not count.

    Raises `InvalidInput` naming package and field where one cannot be understood.
    """
    return _rpm(name, arch, version, tuple(control))


@lru_cache(maxsize=65536)  # hosts of a fleet have most packages in common
def _rpm(name: str, arch: str, version: str, control: Control) -> RpmPackage:
    fields = dict(control)
    place = f"{name}={version}"
    return RpmPackage(
        name,
        arch,
        version,
        tuple(parse(text, f"{place}: Requires") for text in _lines(fields, "Requires") if not text.startswith(RPMLIB)),
        tuple(parse(text, f"{place}: Conflicts") for text in _lines(fields, "Conflicts")),
        tuple(capability(text, f"{place}: Obsoletes") for text in _lines(fields, "Obsoletes")),
        tuple(capability(text, f"{place}: Provides") for text in _lines(fields, "Provides")),
        frozenset(_lines(fields, "Files")),
    )


def control(fields: Mapping[str, Iterable[str]]) -> Control:
    """The fields as they are kept: sorted, each line once, none that is empty."""
    joined = ((name, "\n".join(dict.fromkeys(fields.get(name, ())))) for name in sorted(FIELDS))
    return tuple((name, text) for name, text in joined if text)


def names_in(dependency: Dependency) -> Iterator[str]:
    """The names of all capabilities in it."""
    if isinstance(dependency, Rich):
        for term in dependency.terms:
            yield from names_in(term)
    else:
        yield dependency.name


def _lines(fields: Mapping[str, str], field: str) -> list[str]:
    return fields.get(field, "").splitlines()


# ---------------------------------------------------------------------- rpm -qa

_TAGS = {"R": "REQUIRE", "P": "PROVIDE", "C": "CONFLICT", "O": "OBSOLETE"}
_LETTERS = {"R": "Requires", "P": "Provides", "C": "Conflicts", "O": "Obsoletes", "F": "Files"}

QUERY = (
    r"N\t%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
    + "".join(
        rf"[{letter}\t%{{{tag}NAME}}\t%{{{tag}FLAGS:depflags}}\t%{{{tag}VERSION}}\n]" for letter, tag in _TAGS.items()
    )
    + r"[F\t%{FILENAMES}\n]E\n"
)
"""The format with which `rpm -qa --qf` tells all that `rows` reads."""


def rows(text: str, source: str = "rpm -qa") -> tuple[RpmEntry, ...]:
    """The packages that `rpm -qa` prints in the format `QUERY`. Raises `InvalidInput` with line and reason, or as cut off."""
    entries: list[RpmEntry] = []
    package: nevra.Nevra | None = None
    fields: dict[str, list[str]] = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        letter, _, rest = line.partition("\t")
        try:
            if letter == "N" and package is None:
                package, fields = nevra.make(*_columns(rest, 5)), {}
            elif letter == "E" and package is not None:
                entries += [RpmEntry(package.name, package.arch, package.evr, control(fields))] * (package.name != _KEY)
                package = None
            elif package is not None and letter in _LETTERS:
                fields.setdefault(_LETTERS[letter], []).append(rest if letter == "F" else _dependency(rest))
            else:
                raise InvalidInput(f"no row of a package: {line[:80]!r}")
        except InvalidInput as refusal:
            raise InvalidInput(f"{source}, line {number}: {refusal.message}") from None
    if package is not None or not text.endswith("\n"):
        raise InvalidInput(f"{source}: cut off")
    return tuple(entries)


def _columns(rest: str, count: int) -> list[str]:
    columns = rest.split("\t")
    if len(columns) != count:
        raise InvalidInput(f"{count} columns were asked for: {rest[:80]!r}")
    return columns


def _dependency(rest: str) -> str:
    """`name`, or `name operator version`. A boolean one stands in the name."""
    return " ".join(part.strip() for part in _columns(rest, 3)).strip()

"""Demands of Debian packages on each other: stanzas (deb822(5)) of indexes, dpkg's status and `control`, and their relations. Pure.

Every reader of stanzas begins here. A host's own answers are read with `fields_of`, as leniently as apt reads an index; files that a
person brought are read with `strict_fields`, for nothing else checked them.

Relations are those of Debian Policy chapter 7; of these, dpkg and apt hold a host to Pre-Depends, Depends, Breaks and
Conflicts. Recommends, Suggests, Enhances and Replaces do not decide whether a set of packages can stand together.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import PackageName

MultiArch = Literal["no", "same", "foreign", "allowed"]
Operator = Literal["", "<<", "<=", "=", ">=", ">>"]

FIELDS = (
    "Multi-Arch",
    "Essential",
    "Protected",
    "Important",
    "Pre-Depends",
    "Depends",
    "Breaks",
    "Conflicts",
    "Provides",
)
"""The fields of a stanza that a `DebPackage` is made of, beside Package, Version and Architecture."""

# Policy 7.1. Names as dpkg accepts them; Policy 5.6.1 is stricter than archives that are no Debian archive.
_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<op><<|<=|=|>=|>>|<|>)\s*(?P<version>[A-Za-z0-9][^\s()]*)\s*\))?",
    re.ASCII,
)
_FIELD = re.compile(r"[^\s:]+:")
_BLANKS = (" ", "\t")
_OLD_OPERATORS = {"<": "<=", ">": ">="}  # deprecated, and not what they look like: Policy 7.1
_MULTI_ARCH = ("no", "same", "foreign", "allowed")


@dataclass(frozen=True, slots=True)
class Relation:
    """One package named in a relation field. `arch` is what follows the colon (`any`, `native`, an architecture), or ''."""

    name: str
    arch: str = ""
    op: Operator = ""
    version: str = ""

    def __str__(self) -> str:
        name = f"{self.name}:{self.arch}" if self.arch else self.name
        return f"{name} ({self.op} {self.version})" if self.op else name


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that a package demands of others, with the field that says so: for `depends` one of `relations`
    must stand beside it, for `excludes` (a single relation) none may.
    """

    field: str
    relations: tuple[Relation, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.relations))


@dataclass(frozen=True, slots=True)
class DebPackage:
    """One version of one package. `essential`: apt refuses to remove it (Essential, Protected or Important: yes)."""

    name: str
    arch: str
    version: str
    multi_arch: MultiArch = "no"
    essential: bool = False
    depends: tuple[Demand, ...] = ()
    excludes: tuple[Demand, ...] = ()
    provides: tuple[Relation, ...] = ()

    @property
    def key(self) -> PackageName:
        """What the package is told apart by, in all its versions."""
        return PackageName(self.name, self.arch)

    def __str__(self) -> str:
        return f"{self.name}={self.version}"


def deb(name: str, arch: str, version: str, fields: Iterable[tuple[str, str]] = ()) -> DebPackage:
    """The package with these fields of its stanza; others than `FIELDS` do not count.

    Raises `InvalidInput` naming package and field where one cannot be understood.
    """
    return _deb(name, arch, version, tuple(fields))


@lru_cache(maxsize=65536)  # hosts of a fleet have most packages in common
def _deb(name: str, arch: str, version: str, fields: tuple[tuple[str, str], ...]) -> DebPackage:
    values = dict(fields)
    place = f"{name}={version}"
    multi_arch = values.get("Multi-Arch") or "no"
    if multi_arch not in _MULTI_ARCH:
        raise InvalidInput(f"{place}: Multi-Arch: {multi_arch!r} is no value of that field")
    return DebPackage(
        name,
        arch,
        version,
        multi_arch,  # type: ignore[arg-type]
        any(values.get(field) == "yes" for field in ("Essential", "Protected", "Important")),
        tuple(_depends(values, place)),
        tuple(_excludes(values, place)),
        tuple(relation for group in relations(values.get("Provides", ""), f"{place}: Provides") for relation in group),
    )


def _depends(fields: Mapping[str, str], place: str) -> Iterator[Demand]:
    for field in ("Pre-Depends", "Depends"):
        for group in relations(fields.get(field, ""), f"{place}: {field}"):
            yield Demand(field, group)


def _excludes(fields: Mapping[str, str], place: str) -> Iterator[Demand]:
    for field in ("Breaks", "Conflicts"):
        for group in relations(fields.get(field, ""), f"{place}: {field}"):
            if len(group) > 1:
                raise InvalidInput(f"{place}: {field}: alternatives are not allowed here")
            yield Demand(field, group)


def relations(text: str, place: str = "relation") -> tuple[tuple[Relation, ...], ...]:
    """A relation field of a binary package (Debian Policy 7.1): groups that all hold, each of alternatives.

    An empty element (`a,, b`) counts as nothing, as for dpkg. Raises `InvalidInput` naming `place` for anything else.
    """
    groups = (group.strip() for group in text.split(","))
    return tuple(tuple(_relation(word.strip(), place) for word in group.split("|")) for group in groups if group)


def _relation(text: str, place: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if not match:
        raise InvalidInput(f"{place}: {text!r} is no relation", hint="Debian Policy 7.1")
    operator = match["op"] or ""
    return Relation(match["name"], match["arch"] or "", _OLD_OPERATORS.get(operator, operator), match["version"] or "")  # type: ignore[arg-type]


# ---------------------------------------------------------------------- stanzas


class Malformed(ValueError):
    """A line of a stanza that is no field. `offset` counts lines from the stanza's first."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason, self.offset = reason, offset


def stanzas(text: str) -> Iterator[tuple[int, str]]:
    """Each stanza of `text`, with the number of lines before it. Empty lines part stanzas."""
    before = 0
    for part in text.split("\n\n"):
        body = part.lstrip("\n")
        if body:
            yield before + len(part) - len(body), body.rstrip("\n")
        before += part.count("\n") + 2


def fields_of(stanza: str) -> Iterator[tuple[str, str]]:
    """The fields of a stanza, in its order; lines that continue a field are joined by a blank. A line that is no field is left out."""
    return ((name, value) for _, name, value in _fields(stanza) if name)


def strict_fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza, by name. Raises `Malformed` for a line that is no field, and for a field that is there twice."""
    fields: dict[str, str] = {}
    for offset, name, value in _fields(stanza):
        if not name:
            reason = "goes on where nothing began" if value[:1] in _BLANKS else "no field of a package"
            raise Malformed(f"{reason}: {value[:80]!r}", offset)
        if name in fields:
            raise Malformed(f"{name} stands twice", offset)
        fields[name] = value
    return fields


def _fields(stanza: str) -> Iterator[tuple[int, str, str]]:
    """Offset, name and value of each field; a line that is no field is the value of a field without a name."""
    begun, name, values = 0, "", [""]
    for offset, line in enumerate(stanza.split("\n")):
        if name and line[:1] in _BLANKS:
            values.append(line.strip())
            continue
        if name:
            yield begun, name, _joined(values)
        name, _, value = line.partition(":") if _FIELD.match(line) else ("", "", "")
        begun, values = offset, [value.strip()]
        if not name:
            yield offset, "", line
    if name:
        yield begun, name, _joined(values)


def _joined(values: list[str]) -> str:
    return values[0] if len(values) == 1 else " ".join(filter(None, values))

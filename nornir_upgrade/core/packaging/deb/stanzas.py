"""Stanza: the fields of one package, as Debian's tools write them (deb822(5)): indexes, dpkg's status, `control`. Pure.

Every reader of stanzas begins here. A host's own answers are read with `fields_of`, as leniently as apt reads an index; files that a
person brought are read with `strict_fields`, for nothing else checked them.
"""

import re
from collections.abc import Iterator

_FIELD = re.compile(r"[^\s:]+:")
_BLANKS = (" ", "\t")


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
    found: dict[str, str] = {}
    for offset, name, value in _fields(stanza):
        if not name:
            reason = "goes on where nothing began" if value[:1] in _BLANKS else "no field of a package"
            raise Malformed(f"{reason}: {value[:80]!r}", offset)
        if name in found:
            raise Malformed(f"{name} stands twice", offset)
        found[name] = value
    return found


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

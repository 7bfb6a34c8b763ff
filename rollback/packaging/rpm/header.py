"""Header: the demands in the header of an .rpm, in the form of `primary.xml` (rpm's lib/rpmtag.h). Pure."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.rpm.dependencies import RPMLIB, Control, control

_LEAD, _MAGIC, _INTRO, _ENTRY = 96, b"\x8e\xad\xe8\x01", 16, 16
_INT32, _STRINGS = 4, (6, 8, 9)
# name, flags, version of each field
_TAGS = {
    "Provides": (1047, 1112, 1113),
    "Requires": (1049, 1048, 1050),
    "Conflicts": (1054, 1053, 1055),
    "Obsoletes": (1090, 1114, 1115),
}
_BASE_NAMES, _DIRECTORY_OF, _DIRECTORIES = 1117, 1116, 1118
_SENSES = {2: "<", 4: ">", 8: "=", 10: "<=", 12: ">="}
_MOST = 256 << 20  # bytes; rpm itself takes no larger header


@dataclass(frozen=True, slots=True)
class _Header:
    """The values of tags by number: texts and numbers."""

    texts: dict[int, list[str]]
    numbers: dict[int, tuple[int, ...]]


def control_of_file(data: bytes, source: str) -> Control:
    """The demands and the files of the package. `data` is the file from its start to at least the end of its header.

    Raises `InvalidInput` if it is not an .rpm.
    """
    try:
        signature = _length(data, _LEAD)
        header = _header(data, _LEAD + signature + -signature % 8)
        fields = {field: list(_relations(header, *tags)) for field, tags in _TAGS.items()}
        return control({**fields, "Files": list(_paths(header))})
    except (struct.error, ValueError, IndexError) as error:
        raise InvalidInput(f"{source}: no package of rpm: {error}") from None


def _length(data: bytes, at: int) -> int:
    """Of the header structure that begins at `at`."""
    if data[at : at + 4] != _MAGIC:
        raise ValueError("a header does not begin where it must")
    count, size = struct.unpack_from(">II", data, at + 8)
    length = _INTRO + _ENTRY * int(count) + int(size)
    if length > _MOST or at + length > len(data):
        raise ValueError("cut off")
    return length


def _header(data: bytes, at: int) -> _Header:
    length = _length(data, at)
    (count,) = struct.unpack_from(">I", data, at + 8)
    store = data[at + _INTRO + _ENTRY * count : at + length]
    texts, numbers = {}, {}
    for number in range(count):
        tag, kind, offset, values = struct.unpack_from(">IIiI", data, at + _INTRO + _ENTRY * number)
        if kind == _INT32:
            numbers[tag] = struct.unpack_from(f">{values}I", store, offset)
        elif kind in _STRINGS:
            texts[tag] = [
                text.decode("utf-8", "surrogateescape") for text in store[offset:].split(b"\0", values)[:values]
            ]
    return _Header(texts, numbers)


def _relations(header: _Header, name: int, flags: int, version: int) -> Iterator[str]:
    names, senses, versions = header.texts.get(name, []), header.numbers.get(flags, ()), header.texts.get(version, [])
    for dependency, sense, against in zip(names, senses, versions, strict=True):
        operator = _SENSES.get(sense & 0xE)
        if not dependency.startswith(RPMLIB):
            yield f"{dependency} {operator} {against.removeprefix('0:')}" if operator and against else dependency


def _paths(header: _Header) -> Iterator[str]:
    directories = header.texts.get(_DIRECTORIES, [])
    for base, at in zip(header.texts.get(_BASE_NAMES, []), header.numbers.get(_DIRECTORY_OF, ()), strict=True):
        yield directories[at] + base

"""What dpkg says of the packages on a host, as stanzas. Strict and pure."""

from collections.abc import Iterator
from functools import lru_cache

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.dependencies import FIELDS
from nornir_upgrade.core.transport.sections import Section
from rollback.packaging.candidate import Control, control_of

_KEY = ("Package", "Architecture", "Version")
STATUS_FIELDS = (*_KEY, "Status", *FIELDS)
"""The fields of dpkg's stanzas that are asked for."""

_GONE = ("not-installed", "config-files")


def present(section: Section) -> dict[tuple[str, str, str], Control]:
    """What the packages that are unpacked demand. Raises `InvalidInput` with the line that is none of a stanza."""
    found = {}
    for offset, stanza in _stanzas(section):
        try:
            key, state, control = _status(stanza)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
        if state not in _GONE:
            found[key] = control
    return found


@lru_cache(maxsize=1 << 16)
def _status(stanza: str) -> tuple[tuple[str, str, str], str, Control]:
    fields = _fields(stanza)
    return (fields["Package"], fields["Architecture"], fields["Version"]), fields["Status"], control_of(fields)


def _stanzas(section: Section) -> Iterator[tuple[int, str]]:
    """Each stanza with its offset."""
    lines = section.text.split("\n")
    begun = 0
    for offset in range(len(lines)):
        if not lines[offset]:
            if offset > begun:
                yield begun, "\n".join(lines[begun:offset])
            begun = offset + 1
    if begun < len(lines):
        raise section.fail("the stanza has no end", begun)


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza, lines that go on joined by a blank."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if line[0] in " \t" and lines is not None:
            lines.append(line.strip())
        elif colon and name in STATUS_FIELDS and name not in found:
            lines = found[name] = [value.strip()]
        else:
            raise InvalidInput(f"no field that was asked for: {line[:80]!r}")
    if lacking := [key for key in (*_KEY, "Status") if key not in found]:
        raise InvalidInput(f"a package without {' and '.join(lacking)}")
    return {name: " ".join(filter(None, lines)) for name, lines in found.items()}

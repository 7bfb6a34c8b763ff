"""Status: dpkg's report of the packages on a host, as stanzas. Strict and pure."""

from collections.abc import Mapping
from functools import lru_cache

from nornir_upgrade.core.packaging.deb.dependencies import FIELDS, Malformed, stanzas, strict_fields
from nornir_upgrade.core.transport.sections import Section
from rollback.packaging.candidate import Control

_KEY = ("Package", "Architecture", "Version")
STATUS_FIELDS = (*_KEY, "Status", *FIELDS)
"""The fields of dpkg's stanzas that are asked for."""

_GONE = ("not-installed", "config-files")


def present(section: Section) -> dict[tuple[str, str, str], Control]:
    """The demands of the unpacked packages. Raises `InvalidInput` with the first line of a wrong stanza."""
    demands = {}
    before = 0
    for before, stanza in stanzas(section.text):
        try:
            key, state, control = _status(stanza)
        except Malformed as refusal:
            raise section.fail(refusal.reason, before) from None
        if state not in _GONE:
            demands[key] = control
    if section.text and not section.text.endswith("\n"):
        raise section.fail("the stanza has no end", before)
    return demands


@lru_cache(maxsize=1 << 16)
def _status(stanza: str) -> tuple[tuple[str, str, str], str, Control]:
    fields = strict_fields(stanza)
    if other := [name for name in fields if name not in STATUS_FIELDS]:
        raise Malformed(f"no field that was asked for: {other[0]!r}", 0)
    if lacking := [key for key in (*_KEY, "Status") if key not in fields]:
        raise Malformed(f"a package without {' and '.join(lacking)}", 0)
    return (fields["Package"], fields["Architecture"], fields["Version"]), fields["Status"], control_of(fields)


def control_of(stanza: Mapping[str, str]) -> Control:
    """The fields of a stanza with the demands of its package."""
    return tuple((name, stanza[name]) for name in FIELDS if stanza.get(name))

"""Status: rpm's report of the packages on a host, as rows. Strict and pure."""

from functools import lru_cache

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.rpm.dependencies import RpmEntry, rows
from nornir_upgrade.core.transport.sections import Section
from rollback.packaging.candidate import Control

_END = "\nE\n"


def present(section: Section) -> dict[tuple[str, str, str], Control]:
    """The demands of the packages. Raises `InvalidInput` with the line that is not a row."""
    demands = {}
    offset = 0
    *packages, rest = section.text.split(_END)
    if rest:
        raise section.fail("the list of packages is cut off", section.text.count("\n"))
    for text in packages:
        try:
            entries = _entries(text)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
        demands.update({(entry.name, entry.arch, entry.version): entry.control for entry in entries})
        offset += text.count("\n") + 2
    return demands


@lru_cache(maxsize=1 << 16)  # hosts of a fleet have most packages in common
def _entries(text: str) -> tuple[RpmEntry, ...]:
    return rows(text + _END)

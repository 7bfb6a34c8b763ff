"""Finding: what should be known, or mended, before the first touch; and every key that one may have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["blocking", "advisory"]

LISTED = 5
"""So many of a kind are named in one text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a host ('': about the fleet). With a `blocking` one nothing is begun, unless the scenario has `waived` it;
    `key` never changes its meaning."""

    key: str
    host: str
    severity: Severity
    text: str
    remedy: str
    waived: bool = False

    @property
    def word(self) -> str:
        """Its severity, or that it is waived."""
        return "waived" if self.waived else self.severity


WAIVABLE = (
    "clock-skew",
    "conffile-edited",
    "data-not-taken-back",
    "database-too-big",
    "disk-space",
    "group-empty",
    "hold-in-the-way",
    "inodes",
    "last-compute",
    "limit-may-split-stage",
    "limit-splits-stage",
    "not-captured",
    "nothing-newer",
    "nothing-of-scenario",
    "package-held",
    "package-lost",
    "package-manager-locked",
    "reboot-pending",
    "repository-unsigned",
    "service-down",
    "service-off",
    "stage-put-off",
    "stages-entangled",
    "state-too-big",
    "suite-missing",
    "upgrade-by-others",
    "version-unoffered",
)
"""Keys of what one may go past with open eyes."""
STRICT = (
    "database-host-missing",
    "database-missing",
    "database-unreachable",
    "disk-full",
    "drift",
    "family-without-repositories",
    "host-key",
    "host-unreadable",
    "host-unreachable",
    "journal-locked",
    "login-refused",
    "no-solution",
    "package-broken",
    "package-unobtainable",
    "rehearsal-failed",
    "rehearsal-impossible",
    "repository-expired",
    "repository-unreachable",
    "run-unfinished",
    "script-orphaned",
    "sudo-refused",
)
"""Keys of what no plan can be made or begun with: there is nothing to waive."""


def some(names: Sequence[str]) -> str:
    """The first of `names`, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more

"""Finding: a fact about a host or the fleet to know or to resolve before a run; and the keys of all findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["blocking", "advisory"]

LISTED = 5
"""The number of names in one text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding about `host` ('': the fleet). A `blocking` finding prevents a run, unless the scenario has `waived` it.

    `key` never changes its meaning.
    """

    key: str
    host: str
    severity: Severity
    text: str
    remedy: str
    waived: bool = False

    @property
    def word(self) -> str:
        """Its severity, or `waived`."""
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
"""Keys of the findings that a scenario may waive."""
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
"""Keys of the findings that cannot be waived: no plan can be made or started while one of them holds."""


def some(names: Sequence[str]) -> str:
    """The first `LISTED` of `names`, and the number of the others."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more

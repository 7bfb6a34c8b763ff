"""The proof after a way back: facts gathered again, compared with the snapshot, difference by difference."""

from collections.abc import Mapping
from dataclasses import dataclass

from nornir_upgrade.core.compare import AREAS, Area, Difference
from nornir_upgrade.core.facts import HostFacts
from nornir_upgrade.screen import columns
from nornir_upgrade.words import one_line

from .snapshot import diff

DATABASES: Area = "databases"


@dataclass(frozen=True, slots=True)
class Proof:
    """What differs on `hosts` from the snapshot. Of `expected` nobody asked that it be equal."""

    hosts: tuple[str, ...]
    differences: tuple[Difference, ...]
    expected: tuple[Difference, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether everything that should be as it was is as it was."""
        return not self.differences


def prove(then: Mapping[str, HostFacts], now: Mapping[str, HostFacts], *, databases: bool = True) -> Proof:
    """Compare `now` with `then`. Without `databases` their contents were not restored, and their differences are expected."""
    found = diff(then, now)
    expected = tuple(one for one in found if one.area == DATABASES and not databases)
    return Proof(tuple(sorted(then)), tuple(one for one in found if one not in expected), expected)


def table(proof: Proof) -> str:
    """Area by host: `equal`, or how many things differ."""
    everything = (*proof.differences, *proof.expected)

    def cell(area: Area, host: str) -> str:
        count = sum(one.area == area and one.host == host for one in everything)
        return f"{count} differ" if count else "equal"

    return columns(("", *proof.hosts), [(area, *(cell(area, host) for host in proof.hosts)) for area in AREAS])


def differences_in_text(differences: tuple[Difference, ...]) -> str:
    """A line a difference: host, area, name, before and after."""
    rows = [(d.host, d.area, d.name, one_line(d.before, 40), "->", one_line(d.after, 40)) for d in differences]
    return columns(("host", "area", "name", "before", "", "after"), rows) if rows else "No difference."

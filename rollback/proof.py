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
    """What is not on `hosts` as it should be. `expected` differs from the snapshot too, as was announced."""

    hosts: tuple[str, ...]
    differences: tuple[Difference, ...]
    expected: tuple[Difference, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether everything that should be as it was is as it was."""
        return not self.differences


def prove(
    then: Mapping[str, HostFacts],
    now: Mapping[str, HostFacts],
    *,
    databases: bool = True,
    foretold: Mapping[str, HostFacts] | None = None,
) -> Proof:
    """Compare `now` with `foretold` (without it: with `then`), and tell what is as foretold and yet not as `then`.

    Without `databases` their contents were not restored, and their differences are expected; and so is that a host knows no index
    of a repository that does not answer any more, where the files that name repositories are as they should be.
    """
    before = diff(then, now)
    measure = then if foretold is None else foretold
    named = {host for host, facts in now.items() if host in measure and facts.sources == measure[host].sources}
    asked = {_place(one): one.before for one in before}
    missed = [one for one in diff(measure, now) if databases or one.area != DATABASES]
    missed = [one for one in missed if not (_silent(one) and one.host in named)]
    differences = tuple(one for one in missed if not _forgotten(one, asked.get(_place(one), "")))
    places = {_place(one) for one in differences}
    return Proof(tuple(sorted(then)), differences, tuple(one for one in before if _place(one) not in places))


def _place(one: Difference) -> tuple[str, Area, str]:
    return one.host, one.area, one.name


def _silent(one: Difference) -> bool:
    """Whether it is the index of a repository that is not known any more; the others of this area are files."""
    return one.area == "repositories" and one.after == "absent" and not one.name.startswith("/")


def _forgotten(one: Difference, before: str) -> bool:
    """Whether dpkg forgot a package that was to be removed and of which nothing was left (see `PackageWant`)."""
    return (
        one.area == "packages"
        and one.after == "absent"
        and one.before.endswith(" config-files")
        and one.before != before
    )


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

"""Verification after a way back: facts that were gathered again, compared with the snapshot and with what was announced."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import one_line
from nornir_upgrade.core.facts.compare import AREAS, Area, Difference, compared
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.state.places import AREAS as BESIDE
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.runner.required_files import captured_files
from rollback.foreign.changes import Others
from rollback.plan.retained import Theirs

from .snapshot import diff

DATABASES: Area = "databases"


@dataclass(frozen=True, slots=True)
class Verification:
    """The `differences` between `hosts` and what was announced.

    `expected`: differences from the snapshot that were announced. `explained`: differences that a rule explains, so that they do
    not count. `counts`: how many things were compared, by host and area; an area without a count was not compared.
    """

    hosts: tuple[str, ...]
    differences: tuple[Difference, ...]
    expected: tuple[Difference, ...] = ()
    explained: tuple[Difference, ...] = ()
    counts: Mapping[str, Mapping[Area, int]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether everything that should be as it was is as it was."""
        return not self.differences


def verify(
    then: Mapping[str, HostFacts],
    now: Mapping[str, HostFacts],
    *,
    databases: bool = True,
    foretold: Mapping[str, HostFacts] | None = None,
    others: Mapping[str, Others] | None = None,
    theirs: Mapping[str, Theirs] | None = None,
) -> Verification:
    """Compare `now` with `foretold` (without it: with `then`). What is as foretold, but not as `then`, is expected.

    Also expected: differences of databases, unless `databases` were restored; an index missing because its repository no longer
    answers, if the files that name repositories are as they should be; changes by `others` that are kept; and what is `theirs`:
    of packages that are kept though the snapshot does not have them.
    """
    before, explained = sifted(diff(then, now))
    measure = then if foretold is None else foretold
    named = {host for host, facts in now.items() if host in measure and facts.sources == measure[host].sources}
    asked = {_place(difference): difference.before for difference in before}
    left = [difference for difference in sifted(diff(measure, now))[0] if databases or difference.area != DATABASES]
    left = [difference for difference in left if not (_silent(difference) and difference.host in named)]
    left = [difference for difference in left if not _of_others(difference, (others or {}).get(difference.host))]
    left = [difference for difference in left if not (difference.area in BESIDE and _place(difference) not in asked)]
    left = [difference for difference in left if not (theirs or {}).get(difference.host, Theirs()).tells(difference)]
    announced = {host: _announced(then[host], measure[host]) for host in measure}
    left = [
        difference
        for difference in left
        if not (difference.area in BESIDE and difference.name in announced[difference.host])
    ]
    differences = tuple(
        difference for difference in left if not _forgotten(difference, asked.get(_place(difference), ""))
    )
    places = {_place(difference) for difference in differences}
    expected = tuple(difference for difference in before if _place(difference) not in places)
    return Verification(tuple(sorted(then)), differences, expected, explained, counted(then, now))


def sifted(differences: Iterable[Difference]) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    """The differences that count, and those that a rule explains."""
    every = tuple(differences)
    return tuple(difference for difference in every if not difference.explained), tuple(
        difference for difference in every if difference.explained
    )


def counted(then: Mapping[str, HostFacts], now: Mapping[str, HostFacts]) -> dict[str, dict[Area, int]]:
    """How many things were compared, by host and area."""
    return {host: compared(then[host], now[host]) for host in sorted(then.keys() & now.keys())}


def _place(difference: Difference) -> tuple[str, Area, str]:
    return difference.host, difference.area, difference.name


def _announced(then: HostFacts, end: HostFacts) -> set[str]:
    """The conffiles that are foretold to differ from the snapshot: as files of /etc they differ too."""
    before = {conffile.path: conffile.digest for conffile in then.conffiles}
    return {
        conffile.path for conffile in end.conffiles if conffile.digest and before.get(conffile.path) != conffile.digest
    }


def _of_others(difference: Difference, others: Others | None) -> bool:
    return (
        others is not None and difference.area in (*BESIDE, "conffiles", "services") and others.tells(difference.name)
    )


def _silent(difference: Difference) -> bool:
    """Whether it is an index of a repository that the host no longer knows; other differences of this area are files."""
    return difference.area == "repositories" and difference.after == "absent" and not difference.name.startswith("/")


def _forgotten(difference: Difference, before: str) -> bool:
    """Whether dpkg forgot a package that was to be removed, because none of its files was left (see `PackageWant`)."""
    return (
        difference.area == "packages"
        and difference.after == "absent"
        and difference.before.endswith(" config-files")
        and difference.before != before
    )


def table(verification: Verification) -> str:
    """A table of areas by host: `equal` with the number of things compared, how many differ, or `not compared`."""
    return areas_in_text(verification.hosts, (*verification.differences, *verification.expected), verification.counts)


def areas_in_text(
    hosts: Iterable[str], differences: Iterable[Difference], counts: Mapping[str, Mapping[Area, int]]
) -> str:
    """The same table for any comparison."""
    names, every = tuple(hosts), tuple(differences)

    def cell(area: Area, host: str) -> str:
        if area not in counts.get(host, {}):
            return "not compared"
        differing = sum(difference.area == area and difference.host == host for difference in every)
        return f"{differing:,} differ" if differing else f"equal ({counts[host][area]:,})"

    return columns(("", *names), [(area, *(cell(area, host) for host in names)) for area in AREAS])


def explained_in_text(explained: Iterable[Difference]) -> str:
    """How many differences each rule explains, a line a rule; '' where there are none."""
    reasons: dict[tuple[str, str], list[Difference]] = {}
    for difference in explained:
        reasons.setdefault((difference.area, difference.explained), []).append(difference)
    rows = [
        (
            area,
            f"{len(group)} explained",
            one_line(", ".join(dict.fromkeys(difference.name for difference in group)), 60),
            why,
        )
        for (area, why), group in reasons.items()
    ]
    return columns(("", "", "", ""), rows).strip("\n") if rows else ""


def differences_in_text(differences: tuple[Difference, ...]) -> str:
    """A line a difference: host, area, name, before and after in words."""
    rows = [(d.host, d.area, d.name, *_sides(d)) for d in differences]
    return columns(("host", "area", "name", "before", "", "after"), rows) if rows else "No difference."


def _sides(difference: Difference) -> tuple[str, str, str]:
    before, after = (one_line(words, 40) for words in difference.words)
    return before, "->", after


def captured_in_text(differences: Iterable[Difference], run: Run) -> str:
    """The command that prints one of the changed files as `run` captured it; '' if it captured none of them."""
    names: dict[str, list[str]] = {}
    for difference in differences:
        if difference.other_content:
            names.setdefault(difference.host, []).append(difference.name)
    for host, paths in names.items():
        captured = captured_files(run, host)
        for path in paths:
            if path in captured:
                return f"A file as it was: {quote(['rollback', 'escrow', 'show', run.id, host, path])}"
    return ""

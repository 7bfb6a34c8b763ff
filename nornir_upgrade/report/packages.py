"""What a run did to packages, for its report: every package with its versions, hosts that share a list told of once. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.run import Run, StepPosition
from nornir_upgrade.steps.packages import SetPackages

_ABSENT = "not installed"
_LEFT = "its configuration"


@dataclass(frozen=True, slots=True)
class PackageRow:
    """One package: its versions before and after, `not installed` where it was or is not, and what was done."""

    name: str
    arch: str
    old: str
    new: str
    what: str


@dataclass(frozen=True, slots=True)
class PackageRows:
    """The packages of hosts that share the list. `done`: all steps that change them came to their end."""

    hosts: tuple[str, ...]
    rows: tuple[PackageRow, ...]
    done: bool


def packages_of(run: Run) -> tuple[PackageRows, ...]:
    """Every package whose version or presence the steps that were begun changed, or were to change."""
    lists: dict[tuple[tuple[PackageRow, ...], bool], list[str]] = {}
    for host in run.plan.hosts:
        places = [place for place in run.started if place.host == host and isinstance(run.step_at(place), SetPackages)]
        rows = _rows(run, sorted(places, key=lambda place: (place.wave, place.index)))
        if rows:
            lists.setdefault((rows, run.done.issuperset(places)), []).append(host)
    return tuple(PackageRows(tuple(hosts), rows, done) for (rows, done), hosts in lists.items())


def _rows(run: Run, places: Iterable[StepPosition]) -> tuple[PackageRow, ...]:
    """The packages of one host: the first step that touches one says what it was, the last one what it is."""
    old: dict[tuple[str, str], PackageWant] = {}
    new: dict[tuple[str, str], PackageWant] = {}
    for place in places:
        step, before = run.step_at(place), run.started[place]
        for one in before.want if isinstance(before, SetPackages) else ():
            old.setdefault((one.name, one.arch), one)
        for one in step.want if isinstance(step, SetPackages) else ():
            new[one.name, one.arch] = one
    steps = [step for place in places if isinstance(step := run.step_at(place), SetPackages)]
    purges = any(family_of(step.manager).format.purges for step in steps)
    found = (_row(key, old.get(key), new.get(key), purges) for key in sorted(old.keys() | new.keys()))
    return tuple(row for row in found if row.old != row.new)


def _row(key: tuple[str, str], old: PackageWant | None, new: PackageWant | None, purges: bool) -> PackageRow:
    before, after = _state(old), _state(new)
    return PackageRow(*key, before, after, _what(before, after, new, purges))


def _state(one: PackageWant | None) -> str:
    if one is None or one.goal == "absent":
        return _ABSENT
    return one.version if one.goal == "installed" else _LEFT


def _what(before: str, after: str, new: PackageWant | None, purges: bool) -> str:
    if new is None or new.goal != "installed":
        return "purged" if purges and after == _ABSENT and new is not None else "removed"
    return "installed" if before in (_ABSENT, _LEFT) else "changed"


def named(groups: Iterable[PackageRows]) -> Mapping[str, int]:
    """How many packages of each kind of change there are, over all hosts."""
    count: dict[str, int] = {}
    for group in groups:
        for row in group.rows:
            count[row.what] = count.get(row.what, 0) + len(group.hosts)
    return count

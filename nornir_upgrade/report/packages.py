"""Packages: the changes of a run to packages, for its report. Hosts with the same list share it. Pure."""

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
    """One package: its versions before and after (`not installed` if it is absent), and the kind of change."""

    name: str
    arch: str
    old: str
    new: str
    what: str


@dataclass(frozen=True, slots=True)
class PackageRows:
    """The packages of hosts that share the list. `done`: all steps that change them are done."""

    hosts: tuple[str, ...]
    rows: tuple[PackageRow, ...]
    done: bool


def packages_of(run: Run) -> tuple[PackageRows, ...]:
    """Every package whose version or presence differs before and after the started steps, which may have failed."""
    lists: dict[tuple[tuple[PackageRow, ...], bool], list[str]] = {}
    for host in run.plan.hosts:
        places = [place for place in run.started if place.host == host and isinstance(run.step_at(place), SetPackages)]
        rows = _rows(run, sorted(places, key=lambda place: (place.wave, place.index)))
        if rows:
            lists.setdefault((rows, run.done.issuperset(places)), []).append(host)
    return tuple(PackageRows(tuple(hosts), rows, done) for (rows, done), hosts in lists.items())


def _rows(run: Run, places: Iterable[StepPosition]) -> tuple[PackageRow, ...]:
    """The packages of one host. The first step with a package has its old version, the last step its new version."""
    old: dict[tuple[str, str], PackageWant] = {}
    new: dict[tuple[str, str], PackageWant] = {}
    for place in places:
        step, before = run.step_at(place), run.started[place]
        for want in before.want if isinstance(before, SetPackages) else ():
            old.setdefault((want.name, want.arch), want)
        for want in step.want if isinstance(step, SetPackages) else ():
            new[want.name, want.arch] = want
    steps = [step for place in places if isinstance(step := run.step_at(place), SetPackages)]
    purges = any(family_of(step.manager).format.purges for step in steps)
    rows = (_row(key, old.get(key), new.get(key), purges) for key in sorted(old.keys() | new.keys()))
    return tuple(row for row in rows if row.old != row.new)


def _row(key: tuple[str, str], old: PackageWant | None, new: PackageWant | None, purges: bool) -> PackageRow:
    before, after = _state(old), _state(new)
    return PackageRow(*key, before, after, _what(before, after, new, purges))


def _state(want: PackageWant | None) -> str:
    if want is None or want.goal == "absent":
        return _ABSENT
    return want.version if want.goal == "installed" else _LEFT


def _what(before: str, after: str, new: PackageWant | None, purges: bool) -> str:
    if new is None or new.goal != "installed":
        return "purged" if purges and after == _ABSENT and new is not None else "removed"
    return "installed" if before in (_ABSENT, _LEFT) else "changed"


def count_changes(groups: Iterable[PackageRows]) -> Mapping[str, int]:
    """The number of packages of each kind of change, over all hosts."""
    counts: dict[str, int] = {}
    for group in groups:
        for row in group.rows:
            counts[row.what] = counts.get(row.what, 0) + len(group.hosts)
    return counts

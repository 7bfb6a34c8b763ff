"""Spared data: an undoing keeps the data of the packages that it removes. A package with data is removed, not purged."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nornir_upgrade.core.facts.belongings import belongings
from nornir_upgrade.core.packaging.model import PackageName, PackageWant
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.plan import Plan, Work
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import Fleet, Host
from nornir_upgrade.steps.packages import SetPackages

_UNKNOWN = "unknown: the host did not answer"


@dataclass(frozen=True, slots=True)
class SparedData:
    """A plan, and the data that it keeps: host -> package -> paths."""

    plan: Plan
    data: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def lines(self) -> tuple[str, ...]:
        """The packages whose data it keeps, a line a host."""
        return tuple(
            f"{host}: kept with their data: "
            + "; ".join(f"{name} ({', '.join(paths)})" for name, paths in each.items())
            for host, each in self.data.items()
        )

    @property
    def purged(self) -> tuple[str, ...]:
        """The packages that it purges, a line a host. rpm does not distinguish purging from removing: its hosts have no line."""
        purged: dict[str, dict[str, None]] = {}
        for _, host, step in self.plan.steps():
            if isinstance(step, SetPackages) and _purges(step.manager):
                purged.setdefault(host, {}).update((want.name, None) for want in step.want if want.goal == "absent")
        return tuple(f"{host}: purged: {', '.join(names)}" for host, names in purged.items() if names)


def spare_data(fleet: Fleet, plan: Plan) -> SparedData:
    """`plan`, changed such that it purges no package with data. Reads the hosts, and changes nothing there.

    dpkg removes such a package and keeps its configuration. rpm's scriptlets do not know the difference: there the package stays.
    If a host does not answer, each of its packages counts as one with data.
    """
    removed = _removed(plan)
    if not removed:
        return SparedData(plan)

    def ask(host: Host) -> dict[PackageName, tuple[str, ...]]:
        keys = removed[host.name]
        return {key: own.data for key, own in belongings(host, next(iter(keys.values())), keys).items() if own.data}

    answers = fleet.each(tuple(removed), ask)
    data = {
        host: answer if not isinstance(answer, Exception) else _unknown(removed[host])
        for host, answer in answers.items()
    }
    data = {host: paths for host, paths in data.items() if paths}
    named = {host: {key.name: its for key, its in paths.items()} for host, paths in data.items()}
    return SparedData(_sparing(plan, data), named)


def _removed(plan: Plan) -> dict[str, dict[PackageName, str]]:
    """Host -> package -> manager, of the packages that `plan` removes. Hosts without any are left out."""
    removed: dict[str, dict[PackageName, str]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetPackages):
            keys = {want.key: step.manager for want in step.want if want.goal == "absent"}
            removed.setdefault(host, {}).update(keys)
    return {host: keys for host, keys in removed.items() if keys}


def _unknown(keys: Mapping[PackageName, str]) -> dict[PackageName, tuple[str, ...]]:
    return {key: (_UNKNOWN,) for key, manager in keys.items() if _purges(manager)}


def _purges(manager: str) -> bool:
    return family_of(manager).format.purges


def _sparing(plan: Plan, data: Mapping[str, Mapping[PackageName, tuple[str, ...]]]) -> Plan:
    def spare(work: Work) -> Work:
        keys = data.get(work.host, {})
        return replace(work, steps=tuple(_sparing_step(step, keys) for step in work.steps)) if keys else work

    return replace(plan, waves=tuple(replace(wave, work=tuple(map(spare, wave.work))) for wave in plan.waves))


def _sparing_step(step: Step, keys: Mapping[PackageName, tuple[str, ...]]) -> Step:
    if not isinstance(step, SetPackages):
        return step
    if not _purges(step.manager):
        return replace(step, want=tuple(want for want in step.want if want.goal != "absent" or want.key not in keys))
    return replace(
        step,
        want=tuple(_not_purged(want) if want.goal == "absent" and want.key in keys else want for want in step.want),
    )


def _not_purged(want: PackageWant) -> PackageWant:
    return replace(want, goal="config-files")

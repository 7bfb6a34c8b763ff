"""Sparing: an undoing leaves the data of packages that it takes away. What would be purged with data is removed, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nornir_upgrade.core.facts.belongings import belongings
from nornir_upgrade.core.packaging.model import PackageName, PackageWant
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.plan import Plan, Work
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import Fleet, Host
from nornir_upgrade.steps.packages import SetPackages

_UNKNOWN = "its host did not say whether it has any"


@dataclass(frozen=True, slots=True)
class Spared:
    """A plan, and of which packages it keeps the data: host -> package -> where these are."""

    plan: Plan
    data: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def lines(self) -> tuple[str, ...]:
        """What it keeps, a line a host."""
        return tuple(
            f"{host}: kept with their data: "
            + "; ".join(f"{name} ({', '.join(paths)})" for name, paths in each.items())
            for host, each in self.data.items()
        )

    @property
    def purged(self) -> tuple[str, ...]:
        """Every package that it purges, a line a host; rpm knows no such difference."""
        goes: dict[str, dict[str, None]] = {}
        for _, host, step in self.plan.steps():
            if isinstance(step, SetPackages) and _purges(step.manager):
                goes.setdefault(host, {}).update((one.name, None) for one in step.want if one.goal == "absent")
        return tuple(f"{host}: purged: {', '.join(names)}" for host, names in goes.items() if names)


def spared(fleet: Fleet, plan: Plan) -> Spared:
    """`plan` such that it purges no package that has data. Looks at the hosts, and changes nothing there.

    dpkg removes such a package and keeps its configuration. rpm's scriptlets know no such difference: there the package stays. Of a
    host that does not answer every package counts as one with data.
    """
    going: dict[str, dict[PackageName, str]] = {}
    for _, host, step in plan.steps():
        if isinstance(step, SetPackages):
            keys = {one.key: step.manager for one in step.want if one.goal == "absent"}
            going.setdefault(host, {}).update(keys)
    going = {host: keys for host, keys in going.items() if keys}
    if not going:
        return Spared(plan)

    def ask(host: Host) -> dict[PackageName, tuple[str, ...]]:
        keys = going[host.name]
        return {key: own.data for key, own in belongings(host, next(iter(keys.values())), keys).items() if own.data}

    answers = fleet.each(tuple(going), ask)
    data = {
        host: answer if not isinstance(answer, Exception) else _unknown(going[host]) for host, answer in answers.items()
    }
    data = {host: found for host, found in data.items() if found}
    named = {host: {key.name: paths for key, paths in found.items()} for host, found in data.items()}
    return Spared(_without(plan, data), named)


def _unknown(keys: Mapping[PackageName, str]) -> dict[PackageName, tuple[str, ...]]:
    return {key: (_UNKNOWN,) for key, manager in keys.items() if _purges(manager)}


def _purges(manager: str) -> bool:
    return family_of(manager).format.purges


def _without(plan: Plan, data: Mapping[str, Mapping[PackageName, tuple[str, ...]]]) -> Plan:
    def work(one: Work) -> Work:
        keys = data.get(one.host, {})
        return replace(one, steps=tuple(_spare(step, keys) for step in one.steps)) if keys else one

    return replace(plan, waves=tuple(replace(wave, work=tuple(map(work, wave.work))) for wave in plan.waves))


def _spare(step: Step, keys: Mapping[PackageName, tuple[str, ...]]) -> Step:
    if not isinstance(step, SetPackages):
        return step
    if not _purges(step.manager):
        return replace(step, want=tuple(one for one in step.want if one.goal != "absent" or one.key not in keys))
    return replace(
        step, want=tuple(_kept(one) if one.goal == "absent" and one.key in keys else one for one in step.want)
    )


def _kept(one: PackageWant) -> PackageWant:
    return replace(one, goal="config-files")

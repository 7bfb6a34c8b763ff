"""Packages: each at its exact version, or gone, with its marks; all of them in one transaction of the host's own package manager."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..core import transaction
from ..core.apt import Apt
from ..core.errors import CommandFailed, SimulationDiffers, StateDiffers
from ..core.evr import check_arch, check_name, check_version
from ..core.host import Host
from ..core.packages import (
    Package,
    PackageChange,
    PackageManager,
    PackageName,
    PackageWant,
    differences,
    implied,
    standing_for,
)
from ..core.step import Step
from ..core.store import Store
from ..core.whole import kept_whole

JOB = "packages"
_SIMULATION_LIMIT = 300.0  # seconds; a thousand packages took apt 10
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SetPackages(Step, kind="packages"):
    """Every package in `want` is as wanted, and no other package changed.

    Maintainer scripts do not start the services `keep_stopped` meanwhile. `downgrade`: versions may go down. `configuration`
    names the capture of the packages' conffiles, which is restored before the old versions come back: what only the new ones
    had must be gone by then, or dpkg keeps it in mind as a conffile that somebody removed, and never installs it again.
    """

    want: tuple[PackageWant, ...]
    keep_stopped: tuple[str, ...] = ()
    downgrade: bool = False
    configuration: str = ""
    kind: Literal["packages"] = "packages"

    def __post_init__(self) -> None:
        """Refuses what is no name, architecture or version before anything hears of it. Raises `InvalidInput`."""
        for one in self.want:
            check_name(one.name, qualified=True)
            check_arch(one.arch)
            if one.goal == "installed":
                check_version(one.version)
        for unit in self.keep_stopped:
            transaction.check_unit(unit)

    def observe(self, host: Host, store: Store) -> Step:
        present = _present(host)
        want = {_as_is(standing_for(one, present) or one.key, present) for one in self.want}
        return SetPackages(tuple(sorted(want, key=lambda one: one.key)), self.keep_stopped, downgrade=True)

    def apply(self, host: Host, store: Store) -> None:
        host.follow(JOB)  # of a controller that is no more
        transaction.wait_until_quiet(host)
        present = _present(host)
        if not differences(self.want, present):
            return
        self._refuse_surprises(host, present)
        self._change(host, present)
        if left := differences(self.want, _present(host)):
            raise StateDiffers(
                f"{host.name}: after the transaction: {'; '.join(left)}", hint="apt's log is in /var/log/apt"
            )

    def _refuse_surprises(self, host: Host, present: Sequence[Package]) -> None:
        """The host's own package manager must say that it would do what is wanted, and nothing else."""
        result = host.run(
            MANAGER.simulate(self.want, present, downgrade=self.downgrade), timeout=_SIMULATION_LIMIT, check=False
        )
        if result.status != 0:
            refusal = transaction.failure(host.name, result, "apt-get -s")
            if isinstance(refusal, CommandFailed):
                raise SimulationDiffers(f"the package manager refuses: {refusal.message}", hint="nothing was done")
            raise refusal
        said = MANAGER.parse_simulation(result.text, present)
        if lines := surprises(said.changes, implied(self.want, present).changes, self.want):
            raise SimulationDiffers(f"{host.name}: {'; '.join(lines)}", hint="nothing was done; make the plan anew")

    def _change(self, host: Host, present: Sequence[Package]) -> None:
        change, *rest = MANAGER.change(self.want, present, downgrade=self.downgrade, wait=transaction.LOCK_WAIT)
        host.forget(JOB)  # a job of this name that ended well did so before the state that was just seen
        # Always: a dpkg that was killed between two packages leaves its journal behind, and none of them interrupted.
        transact = kept_whole(change) if self.downgrade else change
        commands = (transaction.merge_journal(), transaction.guarded(transact, self.keep_stopped), *rest)
        result = host.job(JOB, commands)
        if result.status != 0:
            raise transaction.failure(host.name, result)

    @property
    def covered_by(self) -> str:
        return self.configuration

    def describe(self) -> str:
        groups = {
            "install": [f"{one.name} {one.version}" for one in self.want if one.goal == "installed"],
            "remove": [one.name for one in self.want if one.goal == "config-files"],
            "purge": [one.name for one in self.want if one.goal == "absent"],
        }
        return "; ".join(f"{verb} {_listed(names)}" for verb, names in groups.items() if names) or "no package changes"


MANAGER: PackageManager = Apt()


def surprises(
    said: Sequence[PackageChange], expected: Sequence[PackageChange], want: Sequence[PackageWant]
) -> tuple[str, ...]:
    """What a simulation would do that was not expected, and what it would not do that was; one line each.

    A package in `want` may be installed again at the version that it has: that is how a broken one is mended.
    """
    named = {one.key for one in want}
    doing = {_goal(change): change for change in said if change.old != change.new or _name(change) not in named}
    due = {_goal(change): change for change in expected}
    return (
        *(f"would also change {doing[goal]}" for goal in sorted(doing.keys() - due.keys())),
        *(f"would not change {due[goal]}" for goal in sorted(due.keys() - doing.keys())),
    )


def _present(host: Host) -> tuple[Package, ...]:
    return MANAGER.parse_query(host.run(MANAGER.query()).text)


def _as_is(key: PackageName, present: Sequence[Package]) -> PackageWant:
    """What is wanted when the package is to be as it is: an interrupted one counts as installed at the version it shows."""
    now: Mapping[PackageName, Package] = {package.key: package for package in present}
    package = now.get(key)
    if package is None:
        return PackageWant(key.name, key.arch, "", "absent")
    if not package.unpacked or not package.version:
        return PackageWant(key.name, key.arch, "", "config-files")
    return PackageWant(key.name, key.arch, package.version, "installed", package.auto, package.hold)


def _goal(change: PackageChange) -> tuple[str, str, str]:
    return change.name, change.arch, change.new


def _name(change: PackageChange) -> PackageName:
    return PackageName(change.name, change.arch)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

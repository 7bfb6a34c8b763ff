"""Packages: each at an exact version or removed, with its marks, in one transaction of the host's own package manager."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nornir_upgrade.core.errors import CommandFailed, SimulationDiffers, StateDiffers
from nornir_upgrade.core.escrow.deliver import Delivered, keeps, supplied, unfetched
from nornir_upgrade.core.packaging import lock
from nornir_upgrade.core.packaging.arrangement import Arrangement
from nornir_upgrade.core.packaging.family import Family, Transactions
from nornir_upgrade.core.packaging.lock import check_unit
from nornir_upgrade.core.packaging.model import (
    Package,
    PackageChange,
    PackageName,
    PackageWant,
    by_key,
    by_name,
    differences,
    implied,
    standing_for,
)
from nornir_upgrade.core.packaging.registry import family_of, settle
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host, Result
from nornir_upgrade.core.version.evr import sort_key

JOB = "packages"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SetPackages(Step, kind="packages"):
    """Every package in `want` is as wanted, and no other package changed.

    - `keep_stopped`: services that maintainer scripts must not start meanwhile.
    - `downgrade`: versions may decrease. Files of versions that the host's repositories lack are then taken from escrow.
    - `configuration`: the capture of the packages' conffiles, restored before the old versions are installed. Conffiles that only
      the new versions have must be removed by then: dpkg would remember them as deleted by somebody, and never install them again.
    - `theirs`: packages of others. They are wanted only while they are installed: if somebody removes one, it is left out.
    """

    want: tuple[PackageWant, ...]
    keep_stopped: tuple[str, ...] = ()
    downgrade: bool = False
    configuration: str = ""
    family: str = "deb"
    theirs: tuple[PackageName, ...] = ()
    manager: str = ""
    kind: Literal["packages"] = "packages"

    def __post_init__(self) -> None:
        """Raises `InvalidInput` for a bad name, architecture, version or unit, before any command gets it."""
        settle(self)
        for package in self.want:
            self._transactions.check(package)
        for unit in self.keep_stopped:
            check_unit(unit)

    @property
    def _family(self) -> Family:
        return family_of(self.manager)

    @property
    def _transactions(self) -> Transactions:
        return self._family.transactions

    def observe(self, host: Host, store: Store) -> Step:
        present = self._present(host)
        want = as_they_are(self.want, present)
        return SetPackages(want, self.keep_stopped, downgrade=True, manager=self.manager)

    def apply(self, host: Host, store: Store) -> str:
        host.follow(JOB)  # a job that a dead controller started
        self._transactions.wait_for_lock(host)
        present = self._present(host)
        return self._of_what_is_there(present)._reach(host, store, present)

    def _reach(self, host: Host, store: Store, present: Sequence[Package]) -> str:
        if not differences(self.want, present):
            return ""
        result = self._transact(host, store, present)
        if left := differences(self.want, self._present(host)):
            raise StateDiffers(
                f"{host.name}: after the transaction: {'; '.join(left)}",
                hint=f"see {self._transactions.log} on {host.name}",
            )
        return self._transactions.transaction_id(result)

    def _of_what_is_there(self, present: Sequence[Package]) -> "SetPackages":
        """This step without the packages of others that are no longer installed."""
        gone = set(self.theirs) - {package.key for package in present if package.unpacked}
        return replace(self, want=tuple(want for want in self.want if want.key not in gone)) if gone else self

    def _transact(self, host: Host, store: Store, present: Sequence[Package]) -> Result:
        """One transaction. If a repository lacks files that its index lists, nothing was done: it is repeated with all from escrow."""
        due = self.want if self.downgrade else ()
        try:
            with supplied(host, store, self.manager, due, present) as delivered:
                return self._change(host, present, delivered)
        except CommandFailed as failure:
            if not (unfetched(failure) and keeps(store, self.manager, due, present)):
                raise
        with supplied(host, store, self.manager, due, present, everything=True) as delivered:
            return self._change(host, present, delivered)

    def _arranged(self, host: Host, present: Sequence[Package], delivered: Delivered) -> Arrangement:
        """The safe order of the transaction. Raises `SimulationDiffers` if the package manager would do something else."""
        expected = implied(self.want, present).changes
        self._transactions.check_protected(
            host, {(change.name, change.arch, change.old) for change in expected if change.old}
        )
        manager = self._family.manager
        simulate = manager.simulate(self.want, present, downgrade=self.downgrade)
        simulation = self._transactions.simulate(host, delivered.known_to(simulate))
        result = simulation.result
        if result.status != 0:
            refusal = self._transactions.failure(host.name, result, self._transactions.rehearsal)
            if isinstance(refusal, CommandFailed):
                raise SimulationDiffers(f"the package manager refuses: {refusal.message}", hint="nothing was done")
            raise refusal
        simulated = manager.parse_simulation(result.text, present)
        if lines := surprises(simulated.changes, expected, self.want, present):
            raise SimulationDiffers(f"{host.name}: {'; '.join(lines)}", hint="nothing was done; make the plan anew")
        return self._transactions.arrange(host, simulation, downgrade=self.downgrade)

    def _change(self, host: Host, present: Sequence[Package], delivered: Delivered) -> Result:
        arrangement = self._arranged(host, present, delivered)
        change = self._family.manager.change(self.want, present, downgrade=self.downgrade, wait=lock.LOCK_WAIT)
        informed = delivered.known_to_all(change)
        host.forget(JOB)  # a job of this name that succeeded did so before the present state was read
        commands = self._transactions.commands(informed, self.keep_stopped, arrangement)
        result = host.job(JOB, (*commands, *delivered.withdrawal))
        if error := self._transactions.error_in_output(host.name, result):
            raise error
        return result

    def _present(self, host: Host) -> tuple[Package, ...]:
        return self._family.present(host)

    @property
    def covered_by(self) -> str:
        return self.configuration

    def describe(self) -> str:
        away = "purge" if self._family.format.purges else "remove"
        verbs = {"installed": "install", "config-files": "remove", "absent": away}
        groups: dict[str, list[str]] = {"install": [], "remove": [], "purge": []}
        for want in self.want:
            groups[verbs[want.goal]].append(f"{want.name} {want.version}".strip())
        return "; ".join(f"{verb} {_listed(names)}" for verb, names in groups.items() if names) or "no package changes"


def surprises(
    simulated: Sequence[PackageChange],
    expected: Sequence[PackageChange],
    want: Sequence[PackageWant],
    present: Sequence[Package] = (),
) -> tuple[str, ...]:
    """The differences between a simulation and the expected changes, one line each.

    A package in `want` may be installed again at its present version: this repairs a broken package. Of a package that is
    installed in several versions, the removed version counts too.
    """
    named = by_key(want)
    several = {key for keyed in (named, by_key(present)) for key, versions in keyed.items() if len(versions) > 1}
    doing = {
        _goal(change, several): change for change in simulated if change.old != change.new or _name(change) not in named
    }
    due = {_goal(change, several): change for change in expected}
    return (
        *(f"would also change {doing[goal]}" for goal in sorted(doing.keys() - due.keys())),
        *(f"would not change {due[goal]}" for goal in sorted(due.keys() - doing.keys())),
    )


def as_they_are(want: Iterable[PackageWant], present: Iterable[Package]) -> tuple[PackageWant, ...]:
    """The wants that undo `want`: each of its packages as it is in `present`."""
    named = by_name(present)
    keys = {standing_for(wanted, named.get(wanted.name, ())) or wanted.key for wanted in want}
    return tuple(wanted for key in sorted(keys) for wanted in as_is(key, named.get(key.name, ())))


def as_is(key: PackageName, present: Sequence[Package]) -> tuple[PackageWant, ...]:
    """The wants for a package as it is now. A half-installed package counts as installed at the version it shows.

    Of several broken versions the newest counts: only one of them may be installed.
    """
    now = [package for package in present if package.key == key]
    if not now:
        return (PackageWant(key.name, key.arch, "", "absent"),)
    if len(now) > 1 and all(package.broken for package in now):
        now = [max(now, key=lambda package: sort_key(package.version, "rpm"))]
    return tuple(_as_is(package) for package in now)


def _as_is(package: Package) -> PackageWant:
    if not package.unpacked or not package.version:
        return PackageWant(package.name, package.arch, "", "config-files")
    return PackageWant(package.name, package.arch, package.version, "installed", package.auto, package.hold)


def _goal(change: PackageChange, several: Collection[PackageName]) -> tuple[str, str, str, str]:
    return change.name, change.arch, change.new, change.old if _name(change) in several else ""


def _name(change: PackageChange) -> PackageName:
    return PackageName(change.name, change.arch)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

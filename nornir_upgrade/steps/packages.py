"""Packages: each at its exact version, or gone, with its marks; all of them in one transaction of the host's own package manager."""

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

    Maintainer scripts do not start the services `keep_stopped` meanwhile. `downgrade`: versions may go down. `configuration`
    names the capture of the packages' conffiles, which is restored before the old versions come back: what only the new ones
    had must be gone by then, or dpkg keeps it in mind as a conffile that somebody removed, and never installs it again.
    On the way down, versions that the host's own repositories have lost come out of escrow. `theirs` are packages of others,
    which are wanted as long as they are there: whoever removes one meanwhile is not in the way.
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
        """Refuses what is no name, architecture or version before anything hears of it. Raises `InvalidInput`."""
        settle(self)
        for one in self.want:
            self._transactions.check(one)
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
        host.follow(JOB)  # of a controller that is no more
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
        """The same without the packages of others that are gone."""
        gone = set(self.theirs) - {one.key for one in present if one.unpacked}
        return replace(self, want=tuple(one for one in self.want if one.key not in gone)) if gone else self

    def _transact(self, host: Host, store: Store, present: Sequence[Package]) -> Result:
        """One transaction. Where repositories do not give what their indexes name, nothing was done, and the escrow stands in."""
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
        """The host's own package manager must say that it would do what is wanted, and nothing else; in a safe order."""
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
        said = manager.parse_simulation(result.text, present)
        if lines := surprises(said.changes, expected, self.want, present):
            raise SimulationDiffers(f"{host.name}: {'; '.join(lines)}", hint="nothing was done; make the plan anew")
        return self._transactions.arrange(host, simulation, downgrade=self.downgrade)

    def _change(self, host: Host, present: Sequence[Package], delivered: Delivered) -> Result:
        arrangement = self._arranged(host, present, delivered)
        change = self._family.manager.change(self.want, present, downgrade=self.downgrade, wait=lock.LOCK_WAIT)
        informed = delivered.known_to_all(change)
        host.forget(JOB)  # a job of this name that ended well did so before the state that was just seen
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
        for one in self.want:
            groups[verbs[one.goal]].append(f"{one.name} {one.version}".strip())
        return "; ".join(f"{verb} {_listed(names)}" for verb, names in groups.items() if names) or "no package changes"


def surprises(
    said: Sequence[PackageChange],
    expected: Sequence[PackageChange],
    want: Sequence[PackageWant],
    present: Sequence[Package] = (),
) -> tuple[str, ...]:
    """What a simulation would do that was not expected, and what it would not do that was; one line each.

    A package in `want` may be installed again at the version that it has: that is how a broken one is mended. Of what stands in
    several versions it counts which of them goes.
    """
    named = by_key(want)
    several = {key for ones in (named, by_key(present)) for key, versions in ones.items() if len(versions) > 1}
    doing = {_goal(one, several): one for one in said if one.old != one.new or _name(one) not in named}
    due = {_goal(change, several): change for change in expected}
    return (
        *(f"would also change {doing[goal]}" for goal in sorted(doing.keys() - due.keys())),
        *(f"would not change {due[goal]}" for goal in sorted(due.keys() - doing.keys())),
    )


def as_they_are(want: Iterable[PackageWant], present: Iterable[Package]) -> tuple[PackageWant, ...]:
    """What undoes `want`: each of its packages as it is in `present`."""
    named = by_name(present)
    keys = {standing_for(one, named.get(one.name, ())) or one.key for one in want}
    return tuple(one for key in sorted(keys) for one in as_is(key, named.get(key.name, ())))


def as_is(key: PackageName, present: Sequence[Package]) -> tuple[PackageWant, ...]:
    """What is wanted when the package is to be as it is: an interrupted one counts as installed at the version it shows, and of
    several of which one alone may stand, the newest counts.
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

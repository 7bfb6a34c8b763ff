"""Removals of packages that were added since a snapshot: which are kept, which are removed, and which are purged. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from nornir_upgrade.core.errors import Drift
from nornir_upgrade.core.facts.belongings import Belongings
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.model import Package, PackageName
from nornir_upgrade.core.run import Run
from rollback.manifest.model import STAYS, Change, Manifest

from .packages import Foreign, brought, foreign, known

Estate = Mapping[PackageName, Belongings]
"""What belongs to packages of one host: paths, users, services and data."""


@dataclass(frozen=True, slots=True)
class Parting:
    """What a person asked for. `remove_foreign`: remove packages that no run installed. `purge`: patterns of packages whose data are
    deleted with them.
    """

    remove_foreign: bool = False
    purge: tuple[str, ...] = ()

    def purges(self, name: str) -> bool:
        """Whether the data of the package are deleted with it."""
        return any(fnmatchcase(name, pattern) for pattern in self.purge)


def strangers(
    then: HostFacts, now: HostFacts, runs: Iterable[Run], estate: Estate, asked: Parting, since: str
) -> Foreign:
    """The packages of a host that no run installed; and, with rpm, those whose removal would delete data that nobody gave up.

    Configuration that is left of a package is removed with `--purge`, whoever installed it.
    """
    added = foreign(then, now, brought(runs, now.host), since=since, remove=asked.remove_foreign)
    packages = {known(package): package for package in now.packages}
    theirs = frozenset(key for key in added.packages if packages[key].unpacked or not asked.purges(key[0]))
    if format_of(now.os.family).purges:
        return replace(added, packages=theirs)
    rich = (key for key, package in packages.items() if _data(package, estate) and not asked.purges(package.name))
    return replace(added, packages=theirs, with_data=frozenset(rich))


def parted(manifest: Manifest, now: HostFacts, estate: Estate, asked: Parting) -> Manifest:
    """`manifest`, in which only packages that --purge names lose their data, and each package that is kept lists what it holds."""
    rest = {(package.name, package.arch): package for package in now.packages if not package.unpacked}
    return replace(
        manifest, changes=tuple(_parted(change, manifest.family, rest, estate, asked) for change in manifest.changes)
    )


def seen(manifest: Manifest, now: HostFacts, estate: Estate, asked: Parting) -> Manifest:
    """`manifest`, which somebody has seen, checked against the present data: data that neither it nor `asked` gives up are kept.

    Raises `Drift` if rpm would delete such data: only a solver knows whether their package can be kept.
    """
    rest = {(package.name, package.arch): package for package in now.packages if not package.unpacked}
    at_risk = () if format_of(manifest.family).purges else manifest.changes
    lost = {change.name: new for change in at_risk if (new := _since(change, estate, asked))}
    if lost:
        added = "; ".join(f"{name}: {', '.join(new)}" for name, new in lost.items())
        raise Drift(
            f"{manifest.host}: data were added since the manifest was computed, and would be deleted with their packages: {added}",
            hint=f"nothing was changed; compute it again, or give the data up with --purge {next(iter(lost))}",
        )

    def checked(change: Change) -> Change:
        kept = (
            change.action == "remove"
            and change.data
            and not asked.purges(change.name)
            and not _since(change, estate, asked)
        )
        return change if kept else _parted(change, manifest.family, rest, estate, asked)

    return replace(manifest, changes=tuple(map(checked, manifest.changes)))


def _since(change: Change, estate: Estate, asked: Parting) -> tuple[str, ...]:
    """Data that would be deleted with the package, and that neither its manifest nor `asked` gives up."""
    own = estate.get(PackageName(change.name, change.arch))
    if own is None or change.action != "remove" or change.target or asked.purges(change.name):
        return ()
    return tuple(path for path in own.data if path not in change.data)


def purged(manifest: Manifest) -> tuple[Change, ...]:
    """The packages of which nothing is left, not even configuration (rpm: all that are removed)."""
    return tuple(change for change in manifest.changes if change.action == "remove" and not change.target)


def _parted(
    change: Change, family: str, rest: Mapping[tuple[str, str], Package], estate: Estate, asked: Parting
) -> Change:
    own = estate.get(PackageName(change.name, change.arch))
    if own is None:
        return change
    purges = format_of(family).purges
    if change.action in STAYS:
        shown = not change.foreign and (not purges or not change.installed)
        return replace(change, holds=_holds(own, here=bool(change.installed)), data=own.data if shown else ())
    if change.action != "remove":
        return change
    if asked.purges(change.name):
        return replace(change, target="", data=own.data) if change.foreign or own.data else change
    if not own.data or not purges:
        return replace(change, data=own.data)
    why = "; ".join(filter(None, (change.why if change.foreign else "", f"kept with its data: {', '.join(own.data)}")))
    left = rest.get((change.name, change.arch))
    if not change.installed and left is not None:
        return replace(
            change, action="keep", target=left.version, data=own.data, holds=_holds(own, here=False), why=why
        )
    return replace(
        change, target=change.target or change.installed, data=own.data, holds=_holds(own, here=False), why=why
    )


def _holds(own: Belongings, *, here: bool) -> tuple[str, ...]:
    """What belongs to the package, in words that `scope` reads: paths, users, and services if it is `here`."""
    services = (f"service {name}" for name in own.services if here)
    users = (f"user {name}" for name in own.users)
    return (*own.configuration, *services, *users)


def _data(package: Package, estate: Estate) -> tuple[str, ...]:
    own = estate.get(package.key)
    return own.data if own is not None else ()

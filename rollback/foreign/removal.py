"""Parting: what becomes of packages that came since a snapshot: which stay, which are removed, and which are purged. Pure."""

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
"""What is theirs, of packages of one host."""


@dataclass(frozen=True, slots=True)
class Parting:
    """What a person asked for: `remove_foreign`: that packages go which no run brought; `purge`: patterns of packages that go with
    their data.
    """

    remove_foreign: bool = False
    purge: tuple[str, ...] = ()

    def purges(self, name: str) -> bool:
        """Whether the package is to go with its data."""
        return any(fnmatchcase(name, pattern) for pattern in self.purge)


def strangers(
    then: HostFacts, now: HostFacts, runs: Iterable[Run], estate: Estate, asked: Parting, since: str
) -> Foreign:
    """The packages of a host that no run brought; and of rpm's, those whose removal would delete data that nobody gave up.

    Configuration that is left of a package goes with `--purge`, whoever installed it.
    """
    found = foreign(then, now, brought(runs, now.host), since=since, remove=asked.remove_foreign)
    packages = {known(one): one for one in now.packages}
    theirs = frozenset(key for key in found.packages if packages[key].unpacked or not asked.purges(key[0]))
    if format_of(now.os.family).purges:
        return replace(found, packages=theirs)
    rich = (key for key, one in packages.items() if _data(one, estate) and not asked.purges(one.name))
    return replace(found, packages=theirs, with_data=frozenset(rich))


def parted(manifest: Manifest, now: HostFacts, estate: Estate, asked: Parting) -> Manifest:
    """`manifest` such that no package goes with its data but those that were named, and each that stays says what it holds."""
    rest = {(one.name, one.arch): one for one in now.packages if not one.unpacked}
    return replace(
        manifest, changes=tuple(_parted(one, manifest.family, rest, estate, asked) for one in manifest.changes)
    )


def seen(given: Manifest, now: HostFacts, estate: Estate, asked: Parting) -> Manifest:
    """`given`, which somebody has seen, after another look at the data: what it does not say that it gives up, and `asked` does not,
    is kept. Raises `Drift` where data are in the way that rpm would delete: whether their package can stay, a solver must say.
    """
    rest = {(one.name, one.arch): one for one in now.packages if not one.unpacked}
    at_risk = () if format_of(given.family).purges else given.changes
    lost = {one.name: new for one in at_risk if (new := _since(one, estate, asked))}
    if lost:
        told = "; ".join(f"{name}: {', '.join(new)}" for name, new in lost.items())
        raise Drift(
            f"{given.host}: data came since the manifest was computed, and would go with their packages: {told}",
            hint=f"nothing was changed; compute it again, or give the data up with --purge {next(iter(lost))}",
        )

    def change(one: Change) -> Change:
        kept = one.action == "remove" and one.data and not asked.purges(one.name) and not _since(one, estate, asked)
        return one if kept else _parted(one, given.family, rest, estate, asked)

    return replace(given, changes=tuple(map(change, given.changes)))


def _since(one: Change, estate: Estate, asked: Parting) -> tuple[str, ...]:
    """Data that would go with the package, and of which neither its manifest nor `asked` says that they are given up."""
    own = estate.get(PackageName(one.name, one.arch))
    if own is None or one.action != "remove" or one.target or asked.purges(one.name):
        return ()
    return tuple(path for path in own.data if path not in one.data)


def purged(manifest: Manifest) -> tuple[Change, ...]:
    """The packages of which nothing is left, not even their configuration (rpm: that are removed)."""
    return tuple(one for one in manifest.changes if one.action == "remove" and not one.target)


def _parted(
    one: Change, family: str, rest: Mapping[tuple[str, str], Package], estate: Estate, asked: Parting
) -> Change:
    own = estate.get(PackageName(one.name, one.arch))
    if own is None:
        return one
    purges = format_of(family).purges
    if one.action in STAYS:
        told = not one.foreign and (not purges or not one.installed)
        return replace(one, holds=_holds(own, here=bool(one.installed)), data=own.data if told else ())
    if one.action != "remove":
        return one
    if asked.purges(one.name):
        return replace(one, target="", data=own.data) if one.foreign or own.data else one
    if not own.data or not purges:
        return replace(one, data=own.data)
    why = "; ".join(filter(None, (one.why if one.foreign else "", f"kept with its data: {', '.join(own.data)}")))
    left = rest.get((one.name, one.arch))
    if not one.installed and left is not None:
        return replace(one, action="keep", target=left.version, data=own.data, holds=_holds(own, here=False), why=why)
    return replace(one, target=one.target or one.installed, data=own.data, holds=_holds(own, here=False), why=why)


def _holds(own: Belongings, *, here: bool) -> tuple[str, ...]:
    """What of the host is the package's, in words that `scope` reads: paths, users, and services where it is `here`."""
    services = (f"service {name}" for name in own.services if here)
    users = (f"user {name}" for name in own.users)
    return (*own.configuration, *services, *users)


def _data(one: Package, estate: Estate) -> tuple[str, ...]:
    own = estate.get(one.key)
    return own.data if own is not None else ()

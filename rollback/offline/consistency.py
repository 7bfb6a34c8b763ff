"""Consistency: the way to a release or to an older list, checked against the known demands of packages. Pure.

A list may name a part of a machine's packages. Demands on packages outside the list are left to the package manager. The listed
packages must be consistent together; if they are not, the nearest consistent set is chosen.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from nornir_upgrade.core.facts.gather import HostFacts, OperatingSystem
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.model import Package, PackageName
from rollback.manifest.model import STAYS, Change, Manifest, Problem
from rollback.packaging.candidate import Candidate, Catalog, Control, catalog
from rollback.packaging.listing import Listing
from rollback.packaging.registry import judgement_of, tools_of
from rollback.solver.nearest import Nearest

from .offers import Offers
from .target import Target, way_back

_SHOWN = 10
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Checked:
    """A manifest, with notes on the limits of the check."""

    manifest: Manifest
    notes: tuple[str, ...] = ()


def checked_way(
    host: str, installed: Listing, offers: Offers, aim: Target, present: Mapping[_Key, Control] | None = None
) -> Checked:
    """`way_back`, changed until its packages are consistent by the demands in `offers` and, of installed packages, in `present`.
    A partial way back also changes the packages that it must take along. Raises as `way_back`.
    """
    plain = way_back(host, installed, offers, aim)
    if not any(offer.control is not None for each in offers.by_name.values() for offer in each):
        return Checked(plain, ("dependencies were not checked: the files do not say what the packages depend on",))
    whole = way_back(host, installed, offers, replace(aim, only=()))
    world = _World(whole, offers, present or {})
    nearest = Nearest(only=_patterns(whole, aim))(world.facts(world.then), world.facts(world.now), world.known, aim.to)
    if not nearest.problems and not nearest.deviations and _ends(nearest) == _ends(plain, world):
        return Checked(plain, world.notes)
    changes = tuple(
        sorted(_merged(whole, nearest, world, aim), key=lambda change: (change.name, change.arch, change.installed))
    )
    along = _along(plain, changes) if aim.only else ()
    deviations = tuple(map(_reworded, nearest.deviations))
    return Checked(
        replace(plain, changes=changes, problems=(*plain.problems, *nearest.problems), deviations=deviations),
        (*world.notes, *along),
    )


class _World:
    """The packages of a manifest before and after, and what is known of them."""

    def __init__(self, manifest: Manifest, offers: Offers, present: Mapping[_Key, Control]) -> None:
        self.native, self.family = offers.native, offers.family
        judgement = judgement_of(offers.family)
        demands = judgement.demands
        self._tool = next(iter(tools_of(offers.family)), offers.family)
        self._any_arch = format_of(offers.family).any_arch
        described = {
            (offer.name, offer.arch or offers.native, offer.version): offer
            for each in offers.by_name.values()
            for offer in reversed(each)
            if offer.control is not None
        }
        self._described: Mapping[_Key, object] = {**described, **present}
        self.now = tuple(self._package(c.name, c.installed, c) for c in manifest.changes if c.installed)
        self.then = tuple(self._package(*_end(c), c) for c in manifest.changes if _end(c)[1])
        listed = {package.name for package in (*self.now, *self.then)}
        controls = {**{key: offer.control or () for key, offer in described.items()}, **present}
        known = listed | {
            provided
            for (name, _, _), control in controls.items()
            if name in listed
            for provided in demands.provided(control)
        }
        had = [
            Candidate(*key, offer.origin, control=demands.within(controls[key], known))
            for key, offer in described.items()
            if offer.name in listed
        ]
        like = {
            (name, arch): demands.for_others(control) for (name, arch, _), control in controls.items() if name in listed
        }
        had += [
            Candidate(
                package.name, package.arch, package.version, "", control=like.get((package.name, package.arch), ())
            )
            for package in self.then
        ]
        here = {
            _key(package): demands.within(controls[_key(package)], known)
            if _key(package) in controls
            else like.get((package.name, package.arch), ())
            for package in self.now
        }
        self.known: Catalog = catalog(had, here)
        self._outside = sorted(
            {name for package in self.then for name in demands.beyond(controls.get(_key(package), ()), known)}
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on what was not checked."""
        unknown = sorted({package.name for package in self.then if _key(package) not in self._described})
        return (
            *((f"not checked, since no index describes them: {_few(unknown)}",) if unknown else ()),
            *((f"needed, and not listed: {_few(self._outside)} (left to {self._tool})",) if self._outside else ()),
        )

    def facts(self, packages: tuple[Package, ...]) -> HostFacts:
        """A host with exactly these packages."""
        system = OperatingSystem("", "", "", self.family, self.native, "", "")
        return HostFacts("", "", system, packages, (), (), (), ())

    def arch(self, name: str, version: str, listed: str) -> str:
        """The architecture of this version. Lists may give the machine's own for a package for all architectures."""
        archs = dict.fromkeys((listed, self._any_arch, self.native))
        return next((arch for arch in archs if (name, arch, version) in self._described), listed)

    def _package(self, name: str, version: str, change: Change) -> Package:
        arch = self.arch(name, version, change.arch)
        return Package(name, arch, version, "installed", "hold" if change.hold else "install", change.auto)


def _patterns(whole: Manifest, aim: Target) -> tuple[str, ...]:
    """The patterns of `aim`, and the old names of renamed packages that they match."""
    renamed = (change.target_name for change in whole.changes if change.action == "rename" and aim.wants(change.name))
    return (*aim.only, *sorted(renamed)) if aim.only else ()


def _end(change: Change) -> tuple[str, str]:
    """Name and version of the package afterwards; version '': it is absent."""
    if change.action == "remove":
        return change.name, ""
    return (change.name, change.installed) if change.action in STAYS else (change.target_name, change.target)


def _ends(manifest: Manifest, world: _World | None = None) -> set[_Key]:
    ends = ((*_end(change), change.arch) for change in manifest.changes if _end(change)[1])
    return {(name, world.arch(name, version, arch) if world else arch, version) for name, version, arch in ends}


def _merged(whole: Manifest, nearest: Manifest, world: _World, aim: Target) -> Iterator[Change]:
    """The changes of `whole` that lead where `nearest` does. The other changes are taken from `nearest`."""
    answers = {change.key: change for change in nearest.changes}
    ends = {(name, version) for name, _, version in _ends(nearest)}
    for change in whole.changes:
        arch = world.arch(change.name, change.installed, change.arch)
        here = answers.get(PackageName(change.name, arch, change.slot))
        name, version = _end(change)
        if (name, version) in ends and (name == change.name or here is None or not _end(here)[1]):
            unasked = "not asked for" if change.action in STAYS else here.why if here else ""
            yield change if aim.wants(change.name) else replace(change, why=unasked)
        elif here is None:
            yield replace(change, action="keep", target_name=change.name, target=change.installed, origin="")
        else:
            yield replace(here, arch=change.arch, hold=change.hold)
            if name != change.name and (name, version) in ends:
                yield answers[PackageName(name, world.arch(name, version, change.arch))]


def _along(plain: Manifest, changes: Iterable[Change]) -> Iterator[str]:
    still = {(change.name, change.arch) for change in plain.changes if change.action in STAYS}
    for change in changes:
        if change.action not in STAYS and (change.name, change.arch) in still:
            yield f"{change.name} comes along" + (f": {change.why}" if change.why else "")


def _reworded(problem: Problem) -> Problem:
    return replace(problem, text=problem.text.replace("cannot be as in the snapshot", "cannot be taken back"))


def _key(package: Package) -> _Key:
    return package.name, package.arch, package.version


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

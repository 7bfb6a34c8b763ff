"""Guests: packages that stay on a host although the snapshot lacks them, and the packages that they need. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.model import Package, PackageName
from rollback.foreign.packages import NOBODYS, Foreign, newcomers, staying
from rollback.manifest.model import STAYS, Change, Manifest
from rollback.packaging.candidate import Catalog
from rollback.packaging.clauses import Clause

from .problem import Missing, Scene, scene_of


@dataclass(frozen=True, slots=True)
class Guests:
    """`then` with the guests added. `own`: the guests that others installed; `company`: packages that a guest needs -> its name."""

    then: HostFacts
    own: Mapping[PackageName, Package] = field(default_factory=dict)
    company: Mapping[PackageName, str] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[PackageName]:
        """All of them."""
        return frozenset((*self.own, *self.company))


def guests(
    then: HostFacts,
    now: HostFacts,
    offered: Catalog,
    foreign: Foreign,
    *,
    missing: Missing = "keep",
    only: tuple[str, ...] = (),
) -> Guests:
    """The guests of a host. A guest keeps the packages that it depends on, if they would be removed."""
    if not foreign.packages and not foreign.with_data:
        return Guests(then)
    new = newcomers(then, now, offered)
    own = {key: package for key, package in new.items() if foreign.stays(package)}
    if not own:
        return Guests(then)
    hosting = staying(then, own)
    scene = scene_of(hosting, now, offered, missing=missing, only=only, guests=own)
    company = _company(scene, own)
    return Guests(staying(hosting, {key: new[key] for key in company if key in new}), own, company)


def marked(manifest: Manifest, hosting: Guests, foreign: Foreign, now: HostFacts) -> Manifest:
    """`manifest`, with each foreign package marked as foreign and the reason why it stays or is removed.

    Packages of the company name the guest that needs them.
    """
    if foreign == NOBODYS:
        return manifest
    present = {(package.name, package.arch, package.version): package for package in now.packages}

    def explained(change: Change) -> Change:
        if user := hosting.company.get(change.key, ""):
            why = f"{user} needs it" if change.action in STAYS else change.why
            return replace(change, kept_for=user if change.action in STAYS else "", why=why)
        package = _foreign(change, present, foreign, hosting)
        if package is None:
            return change
        stays = change.action in STAYS
        why = foreign.why(package) if stays or not change.why else f"{change.why}; {foreign.why(package)}"
        left = change.target or (change.installed if not stays and format_of(manifest.family).purges else "")
        return replace(
            change, foreign=(change.name, change.arch, package.version) in foreign.packages, why=why, target=left
        )

    return replace(manifest, changes=tuple(map(explained, manifest.changes)))


def _foreign(
    change: Change, present: Mapping[tuple[str, str, str], Package], foreign: Foreign, hosting: Guests
) -> Package | None:
    """The package on the host that the change is about, where it is one to say more of."""
    package = hosting.own.get(change.key) or present.get((change.name, change.arch, change.installed))
    if package is None or change.action not in (*STAYS, "remove"):
        return None
    key = (package.name, package.arch, package.version)
    gone = foreign.remove and change.action == "remove" and key in foreign.packages
    return package if change.key in hosting.own or gone else None


def _company(scene: Scene, own: Collection[PackageName]) -> dict[PackageName, str]:
    """What would go, and is needed by a guest: the first of what is there of each demand that nothing else satisfies."""
    encoding, aims = scene.encoding, {aim.key: aim for aim in scene.aims}
    chosen, hosts, company = set(scene.wanted), set(own), dict[PackageName, str]()
    demands = [clause for clause in encoding.clauses if clause.literals[0] < 0]
    grown = True
    while grown:
        grown = False
        for clause in demands:
            if -clause.literals[0] not in chosen or encoding.keys[-clause.literals[0] - 1] not in hosts:
                continue
            if any((literal > 0) == (abs(literal) in chosen) for literal in clause.literals):
                continue
            for variable in _there(clause, scene):
                key = encoding.keys[variable - 1]
                if not aims[key].wanted:
                    chosen.add(variable)
                    hosts.add(key)
                    company[key] = clause.reason.package
                    grown = True
                    break
    return company


def _there(clause: Clause, scene: Scene) -> Iterator[int]:
    """Those of the packages that the clause asks for which are on the host as they are."""
    for literal in clause.literals:
        key = scene.encoding.keys[abs(literal) - 1]
        now = scene.now.get(key)
        here = now.version if now is not None and now.unpacked else ""
        if literal > 0 and here == scene.encoding.packages[literal - 1].version:
            yield literal

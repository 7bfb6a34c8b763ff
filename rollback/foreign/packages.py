"""Foreign packages: those that others installed since a snapshot, and no run. They are kept. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.model import Package, PackageName, PackageWant
from nornir_upgrade.core.run import Run, StepPosition
from nornir_upgrade.steps.packages import SetPackages
from rollback.manifest.identity import slots
from rollback.packaging.candidate import Catalog

Known = tuple[str, str, str]
"""A package as it is on a host: name, architecture, version."""
_EVERY = {"all", "noarch"}


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is known of the packages that were added to a host since a snapshot.

    `packages`: those that no run installed. `with_data`: those whose removal would delete data. `since`: the moment of the snapshot,
    as people read it. `remove`: somebody asked to remove foreign packages.
    """

    packages: frozenset[Known] = frozenset()
    with_data: frozenset[Known] = frozenset()
    since: str = ""
    remove: bool = False

    def stays(self, package: Package) -> bool:
        """Whether the package is kept as it is."""
        key = known(package)
        return key in self.with_data or (key in self.packages and not (self.remove and package.unpacked))

    def why(self, package: Package) -> str:
        """Why it is kept, or who installed it, if it is removed; '' if neither is known."""
        if known(package) in self.packages:
            return f"installed by others since {self.since}"
        return "its removal would delete its data" if known(package) in self.with_data else ""


NOBODYS = Foreign()


@dataclass(slots=True)
class Brought:
    """What runs added to a host: packages by name and architecture, and in which versions.

    `gone`: packages that runs removed since. If one of them is unpacked now, somebody else installed it.
    """

    keys: dict[str, set[str]] = field(default_factory=dict)
    versions: set[Known] = field(default_factory=set)
    gone: set[tuple[str, str]] = field(default_factory=set)

    def has(self, package: Package, *, several: bool = False) -> bool:
        """Whether runs installed the package; this version of it, if `several` versions may be installed."""
        if several:
            return known(package) in self.versions
        archs = {arch for arch in self.keys.get(package.name, ()) if _alike(arch, package.arch)}
        gone = all((package.name, arch) in self.gone for arch in archs)
        return bool(archs) and not (package.unpacked and gone)

    def begin(self, step: SetPackages, before: SetPackages) -> None:
        """Afterwards the packages that the started step installs count as installed by runs."""
        for want in step.want:
            if want.goal == "installed" and not any(_same(want, old) for old in before.want):
                self.keys.setdefault(want.name, set()).add(want.arch)
                self.gone.discard((want.name, want.arch))
            if want.goal == "installed" and want not in before.want:
                self.versions.add((want.name, want.arch, want.version))

    def end(self, step: SetPackages) -> None:
        """Afterwards the packages that the completed step removed count as gone."""
        self.gone |= {(want.name, want.arch) for want in step.want if want.goal != "installed"}


def brought(runs: Iterable[Run], host: str) -> Brought:
    """What `runs` (oldest first) added to `host`. *Started* counts as *done*, except for removals."""
    had = Brought()
    for run in runs:
        for what, place, step in _packages_of(run, host):
            before = run.started.get(place)
            if what == "step_started" and isinstance(before, SetPackages):
                had.begin(step, before)
            elif what == "step_done":
                had.end(step)
    return had


def foreign(
    then: HostFacts,
    now: HostFacts,
    had: Brought,
    *,
    since: str,
    remove: bool = False,
    with_data: Collection[Known] = (),
) -> Foreign:
    """The packages on a host that the snapshot does not have, and that no run installed."""
    before = {(package.name, package.arch): package.version for package in then.packages if package.unpacked}
    several = format_of(now.os.family).several
    theirs = set()
    for package in now.packages:
        there = (package.name, package.arch) in before
        new = not there or (several and before[package.name, package.arch] != package.version)
        if new and not had.has(package, several=there):
            theirs.add(known(package))
    return Foreign(frozenset(theirs), frozenset(with_data), since, remove)


def known(package: Package) -> Known:
    """The package as it is now: name, architecture, version."""
    return package.name, package.arch, package.version


def newcomers(then: HostFacts, now: HostFacts, offered: Catalog) -> dict[PackageName, Package]:
    """The packages on the host that the snapshot does not have, or of which it has only the configuration."""
    apart = slots(then, now, offered)
    before = apart.by_key(then.packages)
    archs: dict[str, set[str]] = {}
    for package in then.packages:
        if package.unpacked:
            archs.setdefault(package.name, set()).add(package.arch)
    return {
        key: package
        for key, package in apart.by_key(now.packages).items()
        if _is_new(package, before.get(key))
        and not _took_the_place(package, archs.get(package.name, set()), bool(key.version))
    }


def staying(then: HostFacts, guests: Mapping[PackageName, Package]) -> HostFacts:
    """`then` as if it had the packages `guests`, in place of the configuration that was left of them."""
    if not guests:
        return then
    left = {(package.name, package.arch) for package in guests.values()}
    kept = [package for package in then.packages if package.unpacked or (package.name, package.arch) not in left]
    packages = tuple(sorted((*kept, *guests.values()), key=lambda package: (package.name, package.arch)))
    return replace(then, packages=packages)


def _packages_of(run: Run, host: str) -> Iterator[tuple[str, StepPosition, SetPackages]]:
    """Each start and end of a step that sets packages of the host, in the order of the journal."""
    for event in run.events:
        if event.host == host and event.what in ("step_started", "step_done"):
            place = StepPosition(event.wave, event.host, event.index)
            step = run.step_at(place)
            if isinstance(step, SetPackages):
                yield event.what, place, step


def _is_new(now: Package, before: Package | None) -> bool:
    return before is None or (now.unpacked and not before.unpacked)


def _took_the_place(package: Package, archs: Collection[str], several: bool) -> bool:
    """Whether it replaced the snapshot's package of the same name and an exchangeable architecture."""
    return not several and any(_alike(package.arch, arch) for arch in archs)


def _same(want: PackageWant, old: PackageWant) -> bool:
    """Whether `old` is the same package, installed before."""
    return want.name == old.name and _alike(want.arch, old.arch) and old.goal == "installed"


def _alike(arch: str, other: str) -> bool:
    """Whether packages of one name and these architectures replace each other."""
    return arch == other or bool(_EVERY & {arch, other})

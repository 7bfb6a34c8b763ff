"""RPM hosts to plan for, made of the lab's own releases: what `gather` would tell of them, and what their dnf would do."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core.facts.gather import HostFacts, OperatingSystem, Service, SourceFile
from nornir_upgrade.core.packaging.model import Package, PackageChange, Transaction
from nornir_upgrade.core.packaging.preview import EVERYTHING
from nornir_upgrade.lab.rpm.fleet import RPM_HELD, RPM_INSTALLED
from nornir_upgrade.lab.rpm.releases import HAVANA_RPM, ICEHOUSE_RPM, LabRpmPackage

ROCKY = OperatingSystem("rocky", "9.0", "", "rpm", "x86_64", "5.14.0-70.13.1.el9.x86_64", "1" * 32)
REPOSITORY = "/etc/yum.repos.d/cloud-{release}.repo"
LESS = Package("less", "noarch", "590-2.el9", "installed", "install", False)
HAVANA = {package.name: package for package in HAVANA_RPM.packages}
ICEHOUSE = {package.name: package for package in ICEHOUSE_RPM.packages}


@dataclass(slots=True)
class RpmHost:
    """A host with these packages, services and files of repositories."""

    name: str
    packages: list[Package]
    services: dict[str, Service]
    sources: list[str] = field(default_factory=lambda: [REPOSITORY.format(release="havana")])

    @property
    def facts(self) -> HostFacts:
        """What `gather` would tell."""
        packages = tuple(sorted(self.packages, key=lambda one: (one.name, one.arch, one.version)))
        services = tuple(self.services[name] for name in sorted(self.services))
        sources = tuple(SourceFile(path, "0" * 64) for path in sorted(self.sources))
        return HostFacts(self.name, "2026-01-01T00:00:00+00:00", ROCKY, packages, (), services, sources, ())


def fleet() -> dict[str, RpmHost]:
    """The lab's RPM hosts, on Havana."""
    return {name: havana(name, asked, RPM_HELD.get(name, ())) for name, asked in RPM_INSTALLED.items()}


def havana(name: str, asked: Iterable[str], held: Iterable[str] = ()) -> RpmHost:
    """A host that runs these packages of Havana and what they require."""
    wanted = tuple(asked)
    packages = [_installed(HAVANA[one], auto=one not in wanted) for one in _closed(wanted, HAVANA)]
    locked = [_marked(one, one.name in held) for one in (*packages, LESS)]
    units = (unit for one in packages for unit in HAVANA[one.name].units)
    return RpmHost(name, locked, {unit: Service(unit, True, "enabled") for unit in units})


def _installed(package: LabRpmPackage, *, auto: bool) -> Package:
    return Package(package.name, package.arch, package.evr, "installed", "install", auto)


def _marked(one: Package, held: bool) -> Package:
    return Package(one.name, one.arch, one.version, "installed", "hold" if held else "install", one.auto)


def _closed(names: Iterable[str], offers: Mapping[str, LabRpmPackage]) -> tuple[str, ...]:
    """`names`, and all of the release that these require."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += [one for one, _ in _requires(offers[name]) if one in offers]
    return tuple(found)


def _requires(package: LabRpmPackage) -> Iterator[tuple[str, str]]:
    """(name, exact version or '') of what it requires; of a rich dependency, what stands before the first word."""
    for text in package.requires:
        name, _, rest = text.strip("()").partition(" ")
        if " if " not in rest:
            yield name, rest.removeprefix("= ") if rest.startswith("= ") else ""


def preview(host: RpmHost, names: Iterable[str]) -> Transaction:
    """What dnf would do with Icehouse's repository beside Havana's: the asked ones at their newest or under their new name,
    what these require, and whoever required exactly what went."""
    now = {one.name: one for one in host.packages if one.name in HAVANA or one.name in ICEHOUSE}
    wanted = tuple(names)
    names = now if wanted == EVERYTHING else [word.partition(">")[0] for word in wanted]
    asked = [name for name in names if not now[name].hold]
    new = {target.name: target for target in map(_newest, asked) if target}
    while more := {target.name: target for target in _more(now, new) if target.name not in new}:
        new |= more
    return Transaction(tuple(sorted(_changes(now, new), key=lambda one: (one.name, one.arch, one.old))))


def _newest(name: str) -> LabRpmPackage | None:
    renamed = next((one for one in ICEHOUSE.values() if name in _obsoleted(one)), None)
    return ICEHOUSE.get(name) or renamed


def _obsoleted(package: LabRpmPackage) -> tuple[str, ...]:
    return tuple(text.partition(" ")[0] for text in package.obsoletes)


def _more(now: Mapping[str, Package], new: Mapping[str, LabRpmPackage]) -> Iterator[LabRpmPackage]:
    """What must come along with `new`."""
    for package in new.values():
        yield from (ICEHOUSE[name] for name, _ in _requires(package) if name in ICEHOUSE)
    gone = {name for package in new.values() for name in (package.name, *_obsoleted(package))}
    for name in now:
        requires = _requires(HAVANA[name]) if name in HAVANA else ()
        if any(one in gone and version for one, version in requires) and (target := _newest(name)):
            yield target


def _changes(now: Mapping[str, Package], new: Mapping[str, LabRpmPackage]) -> Iterator[PackageChange]:
    for package in new.values():
        beside = package.kernel or package.name not in now
        old = "" if beside else now[package.name].version
        if package.name not in now or now[package.name].version != package.evr:
            yield PackageChange(package.name, package.arch, old, package.evr)
        yield from (
            PackageChange(name, now[name].arch, now[name].version, "") for name in _obsoleted(package) if name in now
        )

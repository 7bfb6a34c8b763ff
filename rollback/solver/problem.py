"""Scene: all versions of all packages of a host, their clauses, and a goal for each package. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.model import Package, PackageName
from rollback.manifest.identity import Slots, slots
from rollback.packaging.candidate import Catalog
from rollback.packaging.clauses import Rules, V
from rollback.packaging.registry import judgement_of

from .encoding import Encoding, encode
from .preferences import PackageGoal

Missing = Literal["keep", "remove", "fail"]

_Version = tuple[PackageName, str]


@dataclass(frozen=True, slots=True)
class Scene:
    """The rules, and a goal for every package that is unpacked in the snapshot or on the host, by name and architecture.

    `purges`: a removed package leaves its configuration.
    """

    then: Mapping[PackageName, Package]
    now: Mapping[PackageName, Package]
    encoding: Encoding
    aims: tuple[PackageGoal, ...]
    only: tuple[str, ...]
    purges: bool

    @property
    def partial(self) -> bool:
        """Whether only some packages are taken back."""
        return bool(self.only)

    def focus(self, key: PackageName) -> bool:
        """Whether a partial way back names the package."""
        return _matches(key, self.only)

    @property
    def wanted(self) -> frozenset[int]:
        """The variables of all goals, whether they are consistent or not."""
        variables = (self.encoding.find(aim.key, aim.wanted) for aim in self.aims if aim.wanted)
        return frozenset(variables)


def scene_of(
    then: HostFacts,
    now: HostFacts,
    offered: Catalog,
    *,
    missing: Missing = "keep",
    only: Sequence[str] = (),
    straight: bool = False,
    guests: Collection[PackageName] = (),
) -> Scene:
    """The scene of the way from `now` to `then`. A package without dependency fields in `offered` counts as one without demands.

    `guests`: packages of `then` that are in it only because they stay.
    `straight`: the scene decides only whether the goals are consistent. Other versions are left out, which halves the work.
    """
    apart = slots(then, now, offered)
    before, present = apart.by_key(then.packages), apart.by_key(now.packages)
    aims = tuple(
        _aim(key, before.get(key), present.get(key), only, key in guests)
        for key in sorted(before.keys() | present.keys())
        if _version(before.get(key)) or _version(present.get(key))
    )
    judgement = judgement_of(now.os.family)
    stage = _Stage(aims, present, offered, apart, missing, straight, judgement.whole)
    rules = judgement.rules(now.os.arch, now.os.kernel, apart.install_only, offered.dnf)
    return Scene(before, present, stage.encoded(rules), aims, tuple(only), format_of(now.os.family).purges)


def _aim(
    key: PackageName, then: Package | None, now: Package | None, only: Sequence[str], guest: bool = False
) -> PackageGoal:
    old, new = _version(then), _version(now)
    asked = not ((then if old else now) or Package(key.name, key.arch, "", "installed", "install", False)).auto
    focus = _matches(key, only)
    if only and not focus:
        return PackageGoal(key, new, old, False, asked, guest)
    return PackageGoal(key, old, new, focus, asked, guest)


def _matches(key: PackageName, only: Iterable[str]) -> bool:
    return any(fnmatchcase(key.name, pattern) for pattern in only)


def _version(package: Package | None) -> str:
    """The unpacked version; '' if there is only configuration, or nothing yet."""
    return package.version if package is not None and package.unpacked else ""


@dataclass(frozen=True, slots=True)
class _Stage:
    """The packages before the rules of their format are applied."""

    aims: tuple[PackageGoal, ...]
    present: Mapping[PackageName, Package]
    offered: Catalog
    apart: Slots
    missing: Missing
    straight: bool
    whole: Callable[[Package], bool]

    def encoded(self, rules: Rules[V]) -> Encoding:
        packages, lacking = self._packages(rules)
        installed = [
            package for package in packages if _version(self.present.get(self.apart.key(package))) == package.version
        ]
        essential, staying = rules.essential(installed), tuple(rules.staying(installed))
        if self.straight:
            packages, lacking = (
                self._narrow(group, [package for package, _ in staying]) for group in (packages, lacking)
            )
        barred = self._barred(packages, essential) if self.missing == "remove" else ()
        return encode(packages, lacking, rules, essential, barred, staying=staying, key=self.apart.key)

    def _packages(self, rules: Rules[V]) -> tuple[tuple[V, ...], tuple[V, ...]]:
        """Every version of the packages, and the versions that are neither available nor installed whole."""
        keys = {aim.key for aim in self.aims}
        packages: dict[_Version, V] = {}
        for candidate in self.offered.candidates.values():
            key = self.apart.key(candidate)
            if key in keys:
                packages[key, candidate.version] = rules.read(key.name, key.arch, candidate.version, candidate.control)
        lacking: list[V] = []
        for aim in self.aims:
            for version in {aim.wanted, aim.second} - {""}:
                fields = self.offered.present.get((aim.key.name, aim.key.arch, version))
                whole = self._whole(aim.key, version)
                if (aim.key, version) not in packages or (whole and fields is not None):
                    package = rules.read(aim.key.name, aim.key.arch, version, fields or ())
                    if not whole and (aim.key, version) not in packages:
                        lacking.append(package)
                    packages[aim.key, version] = package
        return tuple(packages.values()), tuple(lacking)

    def _whole(self, key: PackageName, version: str) -> bool:
        """Whether the bytes of this version are on the host."""
        now = self.present.get(key)
        return now is not None and _version(now) == version and self.whole(now)

    def _narrow(self, packages: Iterable[V], staying: Iterable[V]) -> tuple[V, ...]:
        """The packages that decide whether the goals are consistent."""
        wanted = {aim.key: aim.wanted for aim in self.aims if aim.wanted}
        kept = {(self.apart.key(package), package.version) for package in staying}
        keys = ((self.apart.key(package), package) for package in packages)
        return tuple(
            package
            for key, package in keys
            if wanted.get(key, package.version) == package.version or (key, package.version) in kept
        )

    def _barred(self, packages: Iterable[V], essential: set[str]) -> tuple[V, ...]:
        """The versions that `--missing remove` forbids."""
        good = {aim.key: {aim.wanted} | ({aim.second} if not aim.wanted else set()) for aim in self.aims}
        return tuple(
            package
            for package in packages
            if package.version not in good[self.apart.key(package)] and package.name not in essential
        )

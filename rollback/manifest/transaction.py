"""Transactions of a manifest: one, and a second if a package must leave its configuration behind. Pure."""

from collections.abc import Iterable, Iterator

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package, PackageName, PackageWant

from .model import STAYS, Change, Manifest, require_solved, slots_in


def wants(manifest: Manifest, now: HostFacts) -> tuple[PackageWant, ...]:
    """The goal of the first transaction: every package that changes, or whose marks or unfinished state must be repaired.

    Raises `Unobtainable` if a version is not available, `NoSolution` for any other problem.
    """
    require_solved([manifest])
    present = slots_in(manifest).by_key(now.packages)
    staying: dict[str, set[str]] = {}
    for change in manifest.changes:
        if change.action != "remove":
            staying.setdefault(change.target_name, set()).add(change.arch)
    wanted = []
    for change in manifest.changes:
        want = _want(change, present.get(change.key))
        if want is not None and not _replaced(change, staying.get(change.name, set())):
            wanted.append(want)
    return (*wanted, *_beside(manifest, wanted))


def _beside(manifest: Manifest, wanted: Iterable[PackageWant]) -> Iterator[PackageWant]:
    """Where one of several versions changes, the versions beside it that stay: a want names all versions of a package."""
    named = {(want.name, want.arch) for want in wanted}
    named_versions = {(want.name, want.arch, want.version) for want in wanted}
    for change in manifest.changes:
        stays = bool(change.slot and change.installed) and change.action in STAYS
        if (
            stays
            and (change.name, change.arch) in named
            and (change.name, change.arch, change.slot) not in named_versions
        ):
            yield PackageWant(change.name, change.arch, change.slot, "installed", change.auto, change.hold)


def leftovers(manifest: Manifest, now: HostFacts) -> tuple[PackageWant, ...]:
    """The goal of the second transaction: removal, with configuration left, of packages that had to be installed first."""
    present = slots_in(manifest).by_key(package for package in now.packages if package.unpacked)
    installed = {key: package.version for key, package in present.items()}
    return tuple(
        PackageWant(change.name, change.arch, "", "config-files")
        for change in manifest.changes
        if change.action == "remove" and change.target and installed.get(change.key) != change.target
    )


def of_others(manifest: Manifest, wanted: Iterable[PackageWant]) -> tuple[PackageName, ...]:
    """The `wanted` packages that stay because others installed them. It is no error when one of them is removed by then."""
    stay = {
        PackageName(change.name, change.arch)
        for change in manifest.changes
        if change.foreign and change.action in STAYS
    }
    return tuple(dict.fromkeys(want.key for want in wanted if want.key in stay))


def _want(change: Change, now: Package | None) -> PackageWant | None:
    match change.action:
        case "keep" | "held" | "unobtainable":
            if now is None or now.state == "config-files" or _as_marked(change, now):
                return None
        case "remove" if not change.target:
            return PackageWant(change.name, change.arch, change.slot, "absent")
        case "remove" if change.installed == change.target:
            return PackageWant(change.name, change.arch, "", "config-files")
    return PackageWant(change.target_name, change.arch, change.target, "installed", change.auto, change.hold)


def _as_marked(change: Change, now: Package) -> bool:
    return now.state == "installed" and (now.auto, now.hold) == (change.auto, change.hold)


def _replaced(change: Change, staying: set[str]) -> bool:
    """Whether the package is replaced by one of the same name and another architecture that cannot be installed beside it.

    `all` (rpm: `noarch`) excludes every other architecture, and dpkg and rpm replace one by the other. To remove the name would remove
    both.
    """
    others = staying - {change.arch}
    return change.action == "remove" and bool(others) and bool({"all", "noarch"} & {change.arch, *others})

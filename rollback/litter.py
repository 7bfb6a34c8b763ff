"""What rpm lays beside configuration files (rpm(8), "Configuration files"): whose it is, and what of it was not there before. Pure.

A file that somebody edited is not replaced: the package's own comes to stand beside it as `.rpmnew`. Where it is replaced or goes, the
edited one is kept as `.rpmsave` or `.rpmorig`.
"""

from collections.abc import Collection, Iterable, Mapping

from nornir_upgrade.core.facts import Conffile, HostFacts

ENDINGS = (".rpmnew", ".rpmsave", ".rpmorig")


def owners_of(conffiles: Iterable[Conffile]) -> Mapping[str, str]:
    """The package of each path, where several know it that which was told last; what stands beside a file is of its package."""
    packages: dict[str, str] = {}
    for one in conffiles:
        packages[one.path] = one.package or packages.get(one.path, "")
    return {path: package or packages.get(beside(path), "") for path, package in packages.items()}


def beside(path: str) -> str:
    """The configuration file that this one stands beside; '' where it is no such."""
    return next((path.removesuffix(ending) for ending in ENDINGS if path.endswith(ending)), "")


def litter(then: HostFacts, now: HostFacts, packages: Collection[str]) -> tuple[str, ...]:
    """Where something may stand, when these packages are back, that did not: beside each of their configuration files."""
    if now.os.family != "rpm":
        return ()
    owners = owners_of([*then.conffiles, *now.conffiles])
    before = {one.path for one in then.conffiles if one.digest}
    files = sorted(path for path, package in owners.items() if package in packages and not beside(path))
    return tuple(found for path in files for ending in ENDINGS if (found := path + ending) not in before)

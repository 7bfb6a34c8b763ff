"""What package managers lay beside configuration files: whose it is, and what of rpm's was not there before. Pure.

A file that somebody edited is not replaced: the package's own comes to stand beside it, as `.rpmnew` or `.dpkg-dist`. Where it is
replaced or goes, the edited one is kept, as `.rpmsave`, `.rpmorig` or `.dpkg-old` (rpm(8), "Configuration files"; dpkg(1),
`--force-confnew`; ucf(1)).
"""

from collections.abc import Collection, Iterable, Mapping

from nornir_upgrade.core.facts.gather import Conffile, HostFacts

ENDINGS = (".rpmnew", ".rpmsave", ".rpmorig")
_ALL = (*ENDINGS, ".dpkg-dist", ".dpkg-old", ".ucf-dist", ".ucf-old")


def owners_of(conffiles: Iterable[Conffile]) -> Mapping[str, str]:
    """The package of each path, where several know it that which was told last; what stands beside a file is of its package."""
    packages: dict[str, str] = {}
    for one in conffiles:
        packages[one.path] = one.package or packages.get(one.path, "")
    return {path: package or packages.get(beside(path), "") for path, package in packages.items()}


def beside(path: str) -> str:
    """The configuration file that this one stands beside; '' where it is no such."""
    return next((path.removesuffix(ending) for ending in ENDINGS if path.endswith(ending)), "")


def with_beside(paths: Iterable[str]) -> frozenset[str]:
    """The configuration files, and all that may stand beside them."""
    return frozenset(path + ending for path in paths for ending in ("", *_ALL))


def litter(then: HostFacts, now: HostFacts, packages: Collection[str]) -> tuple[str, ...]:
    """Where something may stand, when these packages are back, that did not: beside each of their configuration files."""
    if now.os.family != "rpm":
        return ()
    owners = owners_of([*then.conffiles, *now.conffiles])
    before = {one.path for one in then.conffiles if one.digest}
    files = sorted(path for path, package in owners.items() if package in packages and not beside(path))
    return tuple(found for path in files for ending in ENDINGS if (found := path + ending) not in before)

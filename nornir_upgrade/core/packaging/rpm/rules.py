"""Rules of rpm and dnf as pure functions: which package satisfies, obsoletes or replaces which.

rpm decides what satisfies a dependency (lib/rpmds.c, rpmdsCompare, and lib/depends.c). libsolv, as dnf configures it, decides which
packages of one name can be installed together, because dnf carries out the way back. Each rule was checked against libsolv and librpm.
"""

from functools import lru_cache

from nornir_upgrade.core.version import rpm

from .dependencies import RpmPackage
from .rich_dependencies import Capability, Dependency

_EVERY_COLOUR = 3


def meets(package: RpmPackage, dependency: Dependency) -> bool:
    """Whether the package is what the dependency asks for: a capability, or `with`, `without` and `or` of such.

    Any other operator cannot be asked of a single package: to rpm, nothing meets it inside of `with` or `without`.
    """
    if isinstance(dependency, Capability):
        return _meets(package, dependency)
    match dependency.op:
        case "with":
            return all(meets(package, term) for term in dependency.terms)
        case "without":
            return meets(package, dependency.terms[0]) and not meets(package, dependency.terms[1])
        case "or":
            return any(meets(package, term) for term in dependency.terms)
        case _:
            return False


def obsoleted(package: RpmPackage, capability: Capability, owner: RpmPackage) -> bool:
    """Whether `owner` obsoletes `package`: by its name, never by what it provides, and never itself under its own name."""
    return package.name == capability.name != owner.name and overlap(package.itself, capability)


def overlap(capability: Capability, other: Capability) -> bool:
    """Whether some version is in both ranges.

    Where the range has no version at all, every version is. A release counts only where both have one: where just one has, the
    other matches every release if its operator takes in the version it names (rpmdsCompare).
    """
    if not capability.op or not other.op:
        return True
    (mine, release), (theirs, their_release) = _cut(capability.version), _cut(other.version)
    if mine != theirs:
        return _before(capability, other) if mine < theirs else _before(other, capability)
    if release is None or their_release is None:
        if release != their_release and "=" in (other.op if their_release is None else capability.op):
            return True
    elif release != their_release:
        return _before(capability, other) if release < their_release else _before(other, capability)
    return any(sign in capability.op and sign in other.op for sign in "<=>")


def together(package: RpmPackage, other: RpmPackage) -> bool:
    """Whether two packages of one name can stand together: where they are of architectures that have nothing in common.

    One for 32 bits beside one for 64; a package for all architectures beside none (libsolv's implicitobsoleteusescolors).
    """
    return not colour(package.arch) & colour(other.arch)


def colour(arch: str) -> int:
    """1 for architectures of 32 bits, 2 for those of 64, 3 for all (libsolv, pool_arch2color)."""
    if arch == "noarch":
        return _EVERY_COLOUR
    return 2 if "64" in arch or arch == "s390x" else 1


def _meets(package: RpmPackage, demand: Capability) -> bool:
    if demand.name in package.files or (demand.name == package.name and overlap(package.itself, demand)):
        return True
    return any(capability.name == demand.name and overlap(capability, demand) for capability in package.provides)


def _before(lower: Capability, upper: Capability) -> bool:
    """Whether ranges reach one another, of which the first names the older version."""
    return ">" in lower.op or "<" in upper.op


@lru_cache(maxsize=2**16)
def _cut(text: str) -> tuple[rpm.Key, rpm.Key | None]:
    """Keys of epoch and version together, and of the release; `None` where there is none, or an empty one."""
    epoch, version, release = rpm.cut(text)
    return _key(epoch or "0", version), _key("0", release) if release else None


def _key(epoch: str, part: str) -> rpm.Key:
    """One hyphen is any separator's equal within a part, but would be taken for the one before a release."""
    return rpm.sort_key(f"{epoch}:{part.replace('-', '.')}")

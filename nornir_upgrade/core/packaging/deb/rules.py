"""Which package satisfies or excludes which: dpkg's and apt's rules as pure functions.

Debian Policy 7 and the Multi-Arch specification; each rule was put to `apt-get check`, whose word decides where the texts
are silent. `native` is the host's own architecture, which packages for all architectures count as.
"""

from nornir_upgrade.core.version.deb import sort_key

from .dependencies import DebPackage, Relation


def satisfies(deb: DebPackage, relation: Relation, owner: DebPackage, native: str) -> bool:
    """Whether `deb` satisfies what `owner` asks for with `relation` of its Depends or Pre-Depends."""
    if not fits_arch(deb, relation, owner, native):
        return False
    return _named(deb, relation) or _provided(deb, relation)


def excluded(deb: DebPackage, relation: Relation, owner: DebPackage, native: str) -> bool:
    """Whether `owner` conflicts with `deb`, by `relation` of its Breaks or Conflicts.

    Never a package of the owner's own name, whatever its architecture (so that a package may conflict with what itself
    provides). Without a qualifier every architecture is meant.
    """
    if deb.name == owner.name or (relation.arch and not fits_arch(deb, relation, owner, native)):
        return False
    return _named(deb, relation) or _provided(deb, relation)


def fits_arch(deb: DebPackage, relation: Relation, owner: DebPackage, native: str) -> bool:
    """Whether the architecture of `deb` fits a relation of `owner`: its own, unless the qualifier says otherwise."""
    match relation.arch:
        case "":
            return effective(deb.arch, native) == effective(owner.arch, native) or deb.multi_arch == "foreign"
        case "any":
            return deb.multi_arch == "allowed"
        case "native":
            return effective(deb.arch, native) == native
        case arch:
            return effective(deb.arch, native) == arch


def together(deb: DebPackage, other: DebPackage, native: str) -> bool:
    """Whether two packages of one name can stand together: of two architectures, both `Multi-Arch: same`, versions level."""
    if effective(deb.arch, native) == effective(other.arch, native):
        return False
    return deb.multi_arch == other.multi_arch == "same" and order(deb.version, other.version) == 0


def effective(arch: str, native: str) -> str:
    """The architecture that a package counts as."""
    return native if arch == "all" else arch


def in_range(version: str, operator: str, bound: str) -> bool:
    """Whether `version` stands to `bound` as `operator` says (Policy 7.1)."""
    sign = order(version, bound)
    match operator:
        case "<<":
            return sign < 0
        case "<=":
            return sign <= 0
        case "=":
            return sign == 0
        case ">=":
            return sign >= 0
        case _:
            return sign > 0


def order(version: str, other: str) -> int:
    """Negative, zero or positive as `version` is older than, equal to or newer than `other`."""
    if version == other:
        return 0
    mine, theirs = sort_key(version), sort_key(other)
    return (mine > theirs) - (mine < theirs)


def _named(deb: DebPackage, relation: Relation) -> bool:
    return deb.name == relation.name and (not relation.op or in_range(deb.version, relation.op, relation.version))


def _provided(deb: DebPackage, relation: Relation) -> bool:
    """A Provides without version satisfies no relation with one (Policy 7.5)."""
    return any(
        provided.name == relation.name
        and (not relation.op or (provided.op == "=" and in_range(provided.version, relation.op, relation.version)))
        for provided in deb.provides
    )

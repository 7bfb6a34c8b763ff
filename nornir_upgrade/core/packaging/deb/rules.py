"""Which package satisfies or excludes which: dpkg's and apt's rules as pure functions.

Debian Policy 7 and the Multi-Arch specification; each rule was put to `apt-get check`, whose word decides where the texts
are silent. `native` is the host's own architecture, which packages for all architectures count as.
"""

from nornir_upgrade.core.version.deb import sort_key

from .dependencies import Deb, Relation


def satisfies(one: Deb, relation: Relation, owner: Deb, native: str) -> bool:
    """Whether `one` is what `owner` asks for with `relation` of its Depends or Pre-Depends."""
    if not fits_arch(one, relation, owner, native):
        return False
    return _named(one, relation) or _provided(one, relation)


def excluded(one: Deb, relation: Relation, owner: Deb, native: str) -> bool:
    """Whether `owner` cannot stand beside `one`, by `relation` of its Breaks or Conflicts.

    Never a package of the owner's own name, whatever its architecture (so that a package may conflict with what itself
    provides). Without a qualifier every architecture is meant.
    """
    if one.name == owner.name or (relation.arch and not fits_arch(one, relation, owner, native)):
        return False
    return _named(one, relation) or _provided(one, relation)


def fits_arch(one: Deb, relation: Relation, owner: Deb, native: str) -> bool:
    """Whether the architecture of `one` is right for a relation of `owner`: its own, unless the qualifier says otherwise."""
    match relation.arch:
        case "":
            return effective(one.arch, native) == effective(owner.arch, native) or one.multi_arch == "foreign"
        case "any":
            return one.multi_arch == "allowed"
        case "native":
            return effective(one.arch, native) == native
        case arch:
            return effective(one.arch, native) == arch


def together(one: Deb, other: Deb, native: str) -> bool:
    """Whether two packages of one name can stand together: of two architectures, both `Multi-Arch: same`, versions level."""
    if effective(one.arch, native) == effective(other.arch, native):
        return False
    return one.multi_arch == other.multi_arch == "same" and order(one.version, other.version) == 0


def effective(arch: str, native: str) -> str:
    """The architecture that a package counts as."""
    return native if arch == "all" else arch


def in_range(version: str, operator: str, bound: str) -> bool:
    """Whether `version` stands to `bound` as `operator` says (Policy 7.1)."""
    found = order(version, bound)
    match operator:
        case "<<":
            return found < 0
        case "<=":
            return found <= 0
        case "=":
            return found == 0
        case ">=":
            return found >= 0
        case _:
            return found > 0


def order(one: str, other: str) -> int:
    """Negative, zero or positive as `one` is older than, level with or newer than `other`."""
    if one == other:
        return 0
    mine, its = sort_key(one), sort_key(other)
    return (mine > its) - (mine < its)


def _named(one: Deb, relation: Relation) -> bool:
    return one.name == relation.name and (not relation.op or in_range(one.version, relation.op, relation.version))


def _provided(one: Deb, relation: Relation) -> bool:
    """A Provides without version satisfies no relation with one (Policy 7.5)."""
    return any(
        given.name == relation.name
        and (not relation.op or (given.op == "=" and in_range(given.version, relation.op, relation.version)))
        for given in one.provides
    )

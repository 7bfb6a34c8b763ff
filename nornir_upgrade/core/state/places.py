"""What maintainer scripts change beside the files of their packages: the places, as data, each with its area and its reason.

All of it is compared. What is `restored` is captured before packages change, and put back. `records` says how a file is made of
records that packages and administrators add to: of such a file one record can come back without the others.
"""

from dataclasses import dataclass

from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.registry import formats
from nornir_upgrade.core.packaging.state import Area as Area
from nornir_upgrade.core.packaging.state import KeptPlace as KeptPlace
from nornir_upgrade.core.packaging.state import Records as Records


@dataclass(frozen=True, slots=True)
class LeftPlace:
    """A tree below one of `KEPT` that is neither looked at, captured nor restored."""

    path: str
    why: str


_OF_ANY: tuple[KeptPlace, ...] = (
    KeptPlace("/etc", "etc", "configuration, which scripts write as well as packages"),
    KeptPlace("/etc/passwd", "accounts", "a package's user is added by its script", records="colon"),
    KeptPlace("/etc/group", "accounts", "a package's group is added by its script", records="colon"),
    KeptPlace("/etc/shadow", "accounts", "goes with passwd", records="colon"),
    KeptPlace("/etc/gshadow", "accounts", "goes with group", records="colon"),
    KeptPlace("/etc/subuid", "accounts", "goes with passwd", records="colon"),
    KeptPlace("/etc/subgid", "accounts", "goes with group", records="colon"),
    KeptPlace("/etc/systemd", "units", "enablement, masks, overrides and the default target"),
    KeptPlace("/usr/local/lib/systemd", "units", "an administrator's own units", restored=False),
    KeptPlace("/etc/alternatives", "alternatives", "the links of the choices"),
)
KEPT: tuple[KeptPlace, ...] = (*_OF_ANY, *(place for format in formats() for place in format.places))
"""Of every host, and of every format that was registered when this module was imported."""

BOUND = 256 << 20
"""Bytes that the captured files of a host may have together."""
AT_ONCE = 24 << 20
"""Bytes that are read in one answer. A file that has more is not captured."""
LEFT: tuple[LeftPlace, ...] = (
    LeftPlace("/etc/.git", "etckeeper's history: what was committed since must not be lost"),
    LeftPlace("/etc/.hg", "etckeeper's history"),
    LeftPlace("/etc/.bzr", "etckeeper's history"),
    LeftPlace("/etc/_darcs", "etckeeper's history"),
    LeftPlace("/etc/lvm/archive", "LVM's own history of the volumes, which a way back does not change"),
    LeftPlace("/etc/lvm/backup", "LVM's backup of the volumes as they are now"),
    LeftPlace("/etc/lvm/cache", "LVM's list of devices"),
)

AREAS: tuple[Area, ...] = (
    "etc",
    "accounts",
    "units",
    "certificates",
    "alternatives",
    "diversions",
    "statoverrides",
    "debconf",
    "registries",
    "dpkg",
    "clusters",
    "boot",
)
_BY_DEPTH = tuple(sorted(KEPT, key=lambda one: -one.path.count("/")))


def place_of(path: str) -> KeptPlace | None:
    """The nearest place of `KEPT` that `path` is in."""
    return next((one for one in _BY_DEPTH if path == one.path or path.startswith(f"{one.path}/")), None)


def records_of(path: str) -> Records:
    """Of which records the file at `path` is made; '' where it is of none, or none of `KEPT`."""
    return next((one.records for one in KEPT if one.path == path), "")


def left(path: str) -> bool:
    """Whether `path` is in a tree that is left alone."""
    return any(path == one.path or path.startswith(f"{one.path}/") for one in LEFT)


def roots(*, restored: bool) -> tuple[str, ...]:
    """The outermost places; with `restored` of those that are put back."""
    wanted = [one.path for one in KEPT if one.restored or not restored]
    return tuple(path for path in wanted if not any(path.startswith(f"{other}/") for other in wanted))


def areas_of(format: str) -> tuple[Area, ...]:
    """The areas that a host of this format of packages has."""
    known = {one.area for one in (*_OF_ANY, *format_of(format).places)} | {"clusters", "boot"}
    return tuple(area for area in AREAS if area in known)

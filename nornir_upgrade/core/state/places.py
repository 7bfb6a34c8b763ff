"""Places: files and trees that maintainer scripts change beside the files of their packages, as data, each with its reason.

All places are compared. Those with `restored` are captured before packages change, and restored by a way back. `records`: the file
consists of records that packages and administrators add; one record can be restored without the others.
"""

from dataclasses import dataclass

from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.packaging.registry import formats
from nornir_upgrade.core.packaging.state import Area as Area
from nornir_upgrade.core.packaging.state import KeptPlace as KeptPlace
from nornir_upgrade.core.packaging.state import Records as Records


@dataclass(frozen=True, slots=True)
class LeftPlace:
    """A tree below one of `KEPT` that is neither compared, captured nor restored."""

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
"""The limit, in bytes, of all captured files of a host together."""
AT_ONCE = 24 << 20
"""The limit, in bytes, of one answer of a host. A larger file is not captured."""
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
    """The nearest place of `KEPT` that is `path`, or holds it; `None` if there is none."""
    return next((place for place in _BY_DEPTH if path == place.path or path.startswith(f"{place.path}/")), None)


def records_of(path: str) -> Records:
    """The kind of records in the file at `path`; '' if it has none, or is not in `KEPT`."""
    return next((place.records for place in KEPT if place.path == path), "")


def left(path: str) -> bool:
    """Whether `path` is in a tree of `LEFT`."""
    return any(path == place.path or path.startswith(f"{place.path}/") for place in LEFT)


def roots(*, restored: bool) -> tuple[str, ...]:
    """The outermost places of `KEPT`; with `restored`, of those that a way back restores."""
    paths = [place.path for place in KEPT if place.restored or not restored]
    return tuple(path for path in paths if not any(path.startswith(f"{other}/") for other in paths))


def areas_of(format: str) -> tuple[Area, ...]:
    """The areas that hosts of this package format have."""
    present = {place.area for place in (*_OF_ANY, *format_of(format).places)} | {"clusters", "boot"}
    return tuple(area for area in AREAS if area in present)

"""Layer plan: the mounts of a temporary layer of a host, the places for its files, and the room that these need. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput

from .mounts import Mount

How = Literal["overlay", "read-only", "empty"]

# Characters that mount(8) does not read as part of a path in lowerdir=, and those that separate fields of our own lines.
_UNSPOKEN = re.compile(r"[:,\\\"\s]")
# File systems of the kernel. The layer gets a /proc, /sys, /dev and /run of its own.
_KERNEL = frozenset(
    (
        *("proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "configfs"),
        *("pstore", "efivarfs", "bpf", "mqueue", "hugetlbfs", "fusectl", "binfmt_misc", "autofs", "rpc_pipefs", "nsfs"),
        *("selinuxfs", "ramfs", "nfsd"),
    )
)
_OURS = ("/proc", "/sys", "/dev", "/run", "/tmp")
# overlayfs accepts these as lower layers. All others (vfat, network, FUSE) are mounted read-only.
_LOWER = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "overlay", "reiserfs", "jfs"))
# These can be upper layers: they have trusted extended attributes, and directories that list the kind of each entry.
_UPPER = frozenset(("ext3", "ext4", "xfs", "btrfs", "f2fs"))
_MEMORY_PART = 2  # the layer takes at most this part of the memory that is available
_DOWNLOADS = 2  # factor for package files: those of new packages, and copies of old files
_BASE = 64 << 20  # indexes, and the records of dpkg or rpm
RESERVE = 256 << 20
"""Bytes that stay free for the host on the disk of a layer."""

HOME = "/var/lib/nornir-upgrade/rehearsal"
"""The directory of a rehearsal on its host. Only root can read it."""
_BESIDE = ".nornir-upgrade-rehearsal"


@dataclass(frozen=True, slots=True)
class Layered:
    """A path of the host in the layer: an overlay, read-only, or empty."""

    how: How
    path: str


@dataclass(frozen=True, slots=True)
class LayerDirectory:
    """A place for the layer's files: `directory`, with `free` bytes. '' is memory."""

    directory: str
    free: int

    def __str__(self) -> str:
        return self.directory or "memory"


def layered(mounts: Iterable[Mount], files: Iterable[str] = ()) -> tuple[Layered, ...]:
    """The mounts of the layer, each after the mount that holds it. `files`: the mount points that are not directories.

    Raises `InvalidInput` if the root of the host cannot be a lower layer.
    """
    single = frozenset(files)
    plan = tuple(_layered(mounts, single))
    if Layered("overlay", "/") not in plan:
        raise InvalidInput("the root file system cannot be the lower layer of an overlay")
    return plan


def _layered(mounts: Iterable[Mount], single: frozenset[str]) -> Iterator[Layered]:
    visible = {mount.point: mount for mount in mounts}  # of several mounts at one point, the last is visible
    for mount in sorted(visible.values(), key=lambda mount: mount.point.rstrip("/").split("/")):
        if mount.kind in _KERNEL or _below(mount.point, (*_OURS, HOME)):
            continue
        lower = mount.kind in _LOWER and mount.point not in single and not _UNSPOKEN.search(mount.point)
        yield Layered("overlay" if lower else "read-only", mount.point)
    yield Layered("empty", "/tmp")


def places(mounts: Iterable[Mount], free: Mapping[str, int], memory: int) -> tuple[LayerDirectory, ...]:
    """The places for the layer's files: the one with most room first, memory last."""
    visible = tuple({mount.point: mount for mount in mounts}.values())
    own = _holder(HOME, visible)
    disks = (
        LayerDirectory(HOME if mount.point == own else f"{mount.point.rstrip('/')}/{_BESIDE}", free[mount.point])
        for mount in visible
        if mount.kind in _UPPER and mount.writable and mount.point in free
        if not _UNSPOKEN.search(mount.point) and not _below(mount.point, ("/proc", "/sys", "/dev", "/run"))
    )
    ordered = sorted(disks, key=lambda place: (-place.free, place.directory))
    return (*ordered, LayerDirectory("", memory // _MEMORY_PART))


def roomy(places: Sequence[LayerDirectory], need: int) -> tuple[LayerDirectory, ...]:
    """The places where `need` bytes fit. On a disk, `RESERVE` bytes stay free for the host."""
    return tuple(place for place in places if place.free >= need + (RESERVE if place.directory else 0))


def needed(changing: Iterable[tuple[str, str]], comes: int, sizes: Mapping[tuple[str, str], int]) -> int:
    """An estimate of the bytes that a layer needs. `changing`: the packages (name, architecture) that change.

    `comes`: the number of new packages; each is assumed to be as large as the mean. `sizes`: bytes of installed packages.
    """
    old = [sizes.get(package, 0) for package in changing]
    total = sum(old)
    mean = total // len(old) if old else _mean(sizes)
    return _BASE + _DOWNLOADS * (total + comes * mean)


def _mean(sizes: Mapping[tuple[str, str], int]) -> int:
    return sum(sizes.values()) // max(len(sizes), 1)


def _holder(path: str, mounts: Iterable[Mount]) -> str:
    """The mount point that holds `path`."""
    return max((mount.point for mount in mounts if _below(path, (mount.point,))), key=len, default="/")


def _below(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots)

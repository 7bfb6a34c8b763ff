"""How a throw-away layer of a host is mounted, out of what the host has mounted; where its files are, and their room. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput

from .mounts import Mount

How = Literal["overlay", "read-only", "empty"]

# What mount(8) reads as more than a path in lowerdir=, and what our own lines are parted by.
_UNSPOKEN = re.compile(r"[:,\\\"\s]")
# The kernel's own file systems. The layer gets its own /proc, /sys, /dev and /run.
_KERNEL = frozenset(
    (
        *("proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "configfs"),
        *("pstore", "efivarfs", "bpf", "mqueue", "hugetlbfs", "fusectl", "binfmt_misc", "autofs", "rpc_pipefs", "nsfs"),
        *("selinuxfs", "ramfs", "nfsd"),
    )
)
_OURS = ("/proc", "/sys", "/dev", "/run", "/tmp")
# overlayfs takes these for its lower layer; all others (vfat, network, FUSE) are shown as they are, read-only.
_LOWER = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "overlay", "reiserfs", "jfs"))
# These can hold what is written: they keep trusted extended attributes and tell the kind of a directory's entries.
_UPPER = frozenset(("ext3", "ext4", "xfs", "btrfs", "f2fs"))
_MEMORY_PART = 2  # the layer takes at most this part of the memory that is available
_DOWNLOADS = 2  # new packages, and with them their files and the old packages' files
_BASE = 64 << 20  # indexes, dpkg's or rpm's own records
RESERVE = 256 << 20
"""Bytes that are left to the host where the layer is."""

HOME = "/var/lib/nornir-upgrade/rehearsal"
"""Where a host keeps what there is of its rehearsal; root's alone."""
_BESIDE = ".nornir-upgrade-rehearsal"


@dataclass(frozen=True, slots=True)
class Layered:
    """How the layer has one path of the host: as an overlay of it, as it is and read-only, or empty."""

    how: How
    path: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the layer's own files can be: below `directory`, with `free` bytes; in memory where there is no directory."""

    directory: str
    free: int

    def __str__(self) -> str:
        return self.directory or "memory"


def layered(mounts: Iterable[Mount], files: Iterable[str] = ()) -> tuple[Layered, ...]:
    """How each mount comes into the layer, each after what it stands on; `files` are the mount points that are no directories.

    Raises `InvalidInput` where the host has no root that can be a lower layer.
    """
    single = frozenset(files)
    plan = tuple(_layered(mounts, single))
    if Layered("overlay", "/") not in plan:
        raise InvalidInput("the root file system cannot be the lower layer of an overlay")
    return plan


def _layered(mounts: Iterable[Mount], single: frozenset[str]) -> Iterator[Layered]:
    seen = {mount.point: mount for mount in mounts}  # of several at one place the last one shows
    for mount in sorted(seen.values(), key=lambda one: one.point.rstrip("/").split("/")):
        if mount.kind in _KERNEL or _below(mount.point, (*_OURS, HOME)):
            continue
        lower = mount.kind in _LOWER and mount.point not in single and not _UNSPOKEN.search(mount.point)
        yield Layered("overlay" if lower else "read-only", mount.point)
    yield Layered("empty", "/tmp")


def places(mounts: Iterable[Mount], free: Mapping[str, int], memory: int) -> tuple[Place, ...]:
    """Where the layer's own files can be, the place with most room first, memory last."""
    every = tuple({mount.point: mount for mount in mounts}.values())
    own = _holder(HOME, every)
    disks = (
        Place(HOME if mount.point == own else f"{mount.point.rstrip('/')}/{_BESIDE}", free[mount.point])
        for mount in every
        if mount.kind in _UPPER and mount.writable and mount.point in free
        if not _UNSPOKEN.search(mount.point) and not _below(mount.point, ("/proc", "/sys", "/dev", "/run"))
    )
    ordered = sorted(disks, key=lambda one: (-one.free, one.directory))
    return (*ordered, Place("", memory // _MEMORY_PART))


def roomy(found: Sequence[Place], need: int) -> tuple[Place, ...]:
    """Those of `found` where `need` bytes fit. On a disk `RESERVE` is left to the host."""
    return tuple(one for one in found if one.free >= need + (RESERVE if one.directory else 0))


def needed(changing: Iterable[tuple[str, str]], comes: int, sizes: Mapping[tuple[str, str], int]) -> int:
    """Bytes that the layer takes by estimate. `changing` are the packages (name, architecture), `comes` of which are new, `sizes` those
    of what is installed: a new package is taken to be as large as the others."""
    old = [sizes.get(one, 0) for one in changing]
    went = sum(old)
    mean = went // len(old) if old else _mean(sizes)
    return _BASE + _DOWNLOADS * (went + comes * mean)


def _mean(sizes: Mapping[tuple[str, str], int]) -> int:
    return sum(sizes.values()) // max(len(sizes), 1)


def _holder(path: str, mounts: Iterable[Mount]) -> str:
    """The mount point that `path` is below."""
    return max((one.point for one in mounts if _below(path, (one.point,))), key=len, default="/")


def _below(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots)

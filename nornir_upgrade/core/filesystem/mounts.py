"""Mounts: the file systems of a host that hold files of its own, from /proc/self/mountinfo. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nornir_upgrade.core.errors import InvalidInput

TABLE = "/proc/self/mountinfo"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KERNEL = _words(
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs "
    "proc pstore ramfs resctrl rpc_pipefs securityfs selinuxfs sysfs tmpfs tracefs"
)
_NETWORK = _words("9p afs ceph cifs glusterfs lustre ncpfs nfs nfs4 ocfs2 orangefs smb3 smbfs virtiofs")
_STACKED = _words("aufs overlay")
_SUBVOLUMES = frozenset(("btrfs",))
"""File systems whose parts have device numbers of their own, which mountinfo does not list."""
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of mountinfo: `root` of the file system is mounted at `point`."""

    device: str
    root: str
    point: str
    kind: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A mount point whose files are not read, and why."""

    point: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The starting points of a walk that stays on one file system, and the mount points left out."""

    roots: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def parse(text: str) -> tuple[Mount, ...]:
    """The mounts in the text of mountinfo (proc(5)), in its order. Raises `InvalidInput` for any other text."""
    return tuple(_mount(line) for line in text.splitlines())


def choose(mounts: Iterable[Mount]) -> Choice:
    """The file systems with files of the host's own, `/` in any case. Of several mounts at one point, the last is visible."""
    visible = {mount.point: mount for mount in mounts}
    roots: list[Mount] = []
    left_out: list[LeftOut] = []
    for point in sorted(visible):
        mount = visible[point]
        above = _above(point, roots)
        if any(_inside(point, out.point) for out in left_out):
            continue
        if why := _why_not(mount):
            left_out.append(LeftOut(point, why))
        elif not (above and above.device == mount.device and mount.kind not in _SUBVOLUMES):
            roots.append(mount)
    return Choice(tuple(mount.point for mount in roots), tuple(left_out))


def _why_not(mount: Mount) -> str:
    if mount.point == "/":
        return ""
    if mount.kind in _KERNEL:
        return f"{mount.kind}, in memory"
    if mount.kind in _NETWORK:
        return f"{mount.kind}, on the network"
    if mount.kind in _STACKED:
        return f"{mount.kind}, whose layers are looked at where they lie"
    return f"{mount.kind}, of a program" if mount.kind.startswith("fuse.") else ""


def _above(point: str, roots: Sequence[Mount]) -> Mount | None:
    holding = [mount for mount in roots if _inside(point, mount.point)]
    return max(holding, key=lambda mount: len(mount.point), default=None)


def _inside(point: str, other: str) -> bool:
    return PurePosixPath(point).is_relative_to(other)


def _mount(line: str) -> Mount:
    """Fields before the hyphen: id, parent, device, root, point, options and more. After it: kind, source, options."""
    before, hyphen, after = line.partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    if not hyphen or len(fields) < 6 or not rest[0]:
        raise InvalidInput(f"{TABLE}: not a mount: {line[:80]!r}")
    options = (*fields[5].split(","), *rest[-1].split(","))
    return Mount(fields[2], _plain(fields[3]), _plain(fields[4]), rest[0], "ro" not in options)


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)

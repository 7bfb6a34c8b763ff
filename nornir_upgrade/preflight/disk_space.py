"""Disk space findings, by mount point: for downloads, unpacking, dumps, and files kept for the way back. Pure.

All needs are estimates, and the texts say so. The size of a new package is unknown before its download: it is taken to equal the size
of the package that it replaces. A finding blocks if less than `least` is free, and is advisory if less than `safe` is free. `safe`
exceeds the likely need: downloads and escrow count with their unpacked size, and no space is credited for removed files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.facts.probe import DUMPS, Probe, Room
from nornir_upgrade.core.packaging.model import PackageChange, PackageName, Transaction
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.transport.disk import RESERVE
from nornir_upgrade.finding import Finding

_PACKED = 4  # a package is seldom smaller than this part of what it unpacks to
_INODES, _INODES_SAFE = 1000, 10_000  # dpkg and rpm keep a package's old files beside its new ones until it is unpacked
_INODES_EACH, _INODES_EACH_SAFE = 10, 100
_HEXADECIMAL = 2  # digits that a dump takes for a byte of a blob (mariadb-dump(1), --hex-blob)
_DUMPS = 2  # that the controller keeps of a database, where rows are written between the one on trial and the one that counts


@dataclass(frozen=True, slots=True)
class _Need:
    """Bytes that a purpose needs on the file system of `path`."""

    purpose: str
    path: str
    least: int
    safe: int


def on_host(facts: HostFacts, probe: Probe, changes: Sequence[PackageChange]) -> Iterable[Finding]:
    """Disks that are too small for these changes, or for a dump of the largest database."""
    dump = max(probe.databases.values(), default=0)
    mounts = {room.path: room for room in probe.rooms}
    if DUMPS in mounts and dump > mounts[DUMPS].free:
        text = f"its largest database has about {_mb(dump)}, and {_mb(mounts[DUMPS].free)} are free for its dump in {DUMPS}"
        remedy = f"on the host: {_find(mounts[DUMPS].mount)}"
        yield Finding("database-too-big", probe.host, "blocking", text, remedy)
    if not changes:
        return
    together: dict[str, list[_Need]] = {}
    for need in _needs(facts, probe, changes, dump):
        if need.path in mounts:
            together.setdefault(mounts[need.path].mount, []).append(need)
    for mount, needs in together.items():
        room = mounts[needs[0].path]
        clean = f"on the host: {family_of(facts.os.manager).remedies.clean}; {_find(mount)}"
        yield from _too_small(probe.host, room, needs, clean)
        yield from _too_few(probe.host, room, len(changes))


def on_controller(
    room: Room, inspections: Mapping[str, Probe], previews: Mapping[str, Mapping[str, Transaction]]
) -> Iterable[Finding]:
    """The controller's disk, where dumps are kept, and once for the whole fleet the packages that the way back needs."""
    files: dict[tuple[str, str, str], int] = {}
    for name, probe in inspections.items():
        for transaction in previews.get(name, {}).values():
            files |= {
                (change.name, change.arch, change.old): _size(probe, change)
                for change in transaction.changes
                if change.old
            }
    if files:
        dumps = sum(sum(probe.databases.values()) for probe in inspections.values())
        packages = sum(files.values())
        needs = [
            _Need("escrow", room.path, packages // _PACKED, packages),
            _Need("dumps", room.path, dumps, _DUMPS * _HEXADECIMAL * dumps),
        ]
        yield from _too_small("", room, needs, f"on the controller: rollback escrow prune; {_find(room.mount)}")


def _needs(facts: HostFacts, probe: Probe, changes: Sequence[PackageChange], dump: int) -> Iterable[_Need]:
    old = {(change.name, change.arch): _size(probe, change) for change in changes if change.old}
    went = sum(old.values())
    comes = went + sum(1 for change in changes if not change.old) * went // max(len(old), 1)
    yield _Need("download", family_of(facts.os.manager).cache.DIRECTORY, comes // _PACKED, comes)
    yield _Need("unpack", "/usr", max(old.values(), default=0), comes)
    yield _Need("escrow", DUMPS, went // _PACKED, went)
    yield _Need("dump", DUMPS, dump, _HEXADECIMAL * dump)


def _too_small(host: str, room: Room, needs: Sequence[_Need], remedy: str) -> Iterable[Finding]:
    least, safe = (RESERVE + sum(bytes_) for bytes_ in zip(*((need.least, need.safe) for need in needs), strict=True))
    if room.free < safe:
        purposes = ", ".join(f"{need.purpose} {_mb(need.safe)}" for need in needs if need.safe)
        text = f"{room.mount} has {_mb(room.free)} free, and by estimate up to {_mb(safe)} may be needed: {purposes}"
        yield Finding("disk-space", host, "blocking" if room.free < least else "advisory", text, remedy)


def _too_few(host: str, room: Room, packages: int) -> Iterable[Finding]:
    least, safe = _INODES + _INODES_EACH * packages, _INODES_SAFE + _INODES_EACH_SAFE * packages
    if room.inodes is not None and room.inodes < safe:
        text = f"{room.mount} has {room.inodes} inodes free, and by estimate up to {safe} may be needed"
        remedy = f"on the host: du --inodes -x {room.mount} | sort -n | tail"
        yield Finding("inodes", host, "blocking" if room.inodes < least else "advisory", text, remedy)


def _size(probe: Probe, change: PackageChange) -> int:
    return probe.sizes.get(PackageName(change.name, change.arch), 0)


def _mb(size: int) -> str:
    return f"{-(-size // 1_000_000)} MB"


def _find(mount: str) -> str:
    return f"du -x {mount} | sort -n | tail"

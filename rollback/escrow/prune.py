"""Pruning: the objects of the store that a way back still needs, and those that are no longer needed. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nornir_upgrade.core import codec
from nornir_upgrade.core.escrow.escrow import Kept
from nornir_upgrade.core.escrow.holders import Holding
from nornir_upgrade.core.packaging.package_file import PackageFile, files_of
from nornir_upgrade.core.run import Run
from nornir_upgrade.runner.required_files import Capture
from rollback.snapshot import Snapshot, SnapshotEntry

_RESTORABLE = ("open", "succeeded", "differs")
_DIGEST = 64  # hexadecimal digits of a SHA-256


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """Things that no restorable run needs: package files, objects (theirs included), and copies on hosts (host -> digests)."""

    packages: tuple[Kept, ...]
    objects: tuple[str, ...]
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is no longer needed."""
        return bool(self.packages or self.objects or self.copies)


def restorable(
    runs: Sequence[Run], snapshots: Sequence[SnapshotEntry]
) -> tuple[tuple[Run, ...], tuple[SnapshotEntry, ...]]:
    """The runs that a way back may still read, and the snapshots that a way back may lead to.

    A way back reads every run since its snapshot. So all runs are needed from the first one that can still be rolled back, or from
    the first one after a manual snapshot. Every manual snapshot is needed.
    """
    status = {run.id: run.status for run in runs}
    own = [entry.taken_at for entry in snapshots if not entry.run]
    since = [
        index for index, run in enumerate(runs) if status[run.id] in _RESTORABLE or any(at <= _begun(run) for at in own)
    ]
    needed = tuple(runs[since[0] :]) if since else ()
    ids = {run.id for run in needed}
    return needed, tuple(entry for entry in snapshots if not entry.run or entry.run in ids)


def pictured(snapshots: Iterable[SnapshotEntry]) -> tuple[Capture, ...]:
    """The pictures of whole disks that `snapshots` refer to."""
    return tuple(
        Capture(entry.run, host.host, "picture in snapshot", entry.id, host.picture)
        for entry in snapshots
        for host in entry.hosts
        if host.picture
    )


def unreferenced(
    runs: Sequence[Run],
    snapshots: Sequence[SnapshotEntry],
    read: Callable[[str], Snapshot],
    kept: Collection[Kept],
    objects: Collection[str],
    holdings: Iterable[Holding] = (),
) -> Unreferenced:
    """The parts of `kept`, of the store's `objects` and of the copies on hosts that are no longer needed.

    A host holds copies only for its own way back. `read` returns the snapshot of an id; one snapshot at a time is in memory.
    Files that were fetched since the last run began are needed: the next run may use them.
    """
    needed, targets = restorable(runs, snapshots)
    last = max(map(_begun, runs), default="")
    by_host = _wanted(read(entry.id) for entry in targets)
    wanted = set().union(*by_host.values())
    packages, stay = [], _digests(needed) | {capture.digest for capture in pictured(targets)}
    for package in kept:
        if package.file in wanted or package.at >= last:
            stay.add(package.digest)
        else:
            packages.append(package)
    gone = {
        holder.host: tuple(sorted(set(holder.digests) - _digests_of(kept, by_host.get(holder.host, set()))))
        for holder in holdings
        if holder.at < last
    }
    return Unreferenced(
        tuple(packages),
        tuple(digest for digest in sorted(objects) if digest not in stay),
        {host: digests for host, digests in gone.items() if digests},
    )


def _wanted(snapshots: Iterable[Snapshot]) -> dict[str, set[PackageFile]]:
    """The package files of what was installed in any of `snapshots`, by host."""
    by_host: dict[str, set[PackageFile]] = {}
    for snapshot in snapshots:
        for facts in snapshot.hosts:
            files = files_of(facts.os.family, (package for package in facts.packages if package.version))
            by_host.setdefault(facts.host, set()).update(files)
    return by_host


def _digests_of(kept: Iterable[Kept], files: Collection[PackageFile]) -> set[str]:
    return {package.digest for package in kept if package.file in files}


def _digests(runs: Iterable[Run]) -> set[str]:
    """Every text in a run that may be a digest, in any step: rather an object too many is kept than one too few."""
    digests: set[str] = set()
    for run in runs:
        digests |= _in(codec.to_builtins(run.plan))
        for event in run.events:
            if event.before is not None:
                digests |= _in(codec.to_builtins(event.before))
        digests |= _in(run.announced)
    return digests


def _in(value: object) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_in, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(_in, value))
    return {value} if isinstance(value, str) and len(value) == _DIGEST else set()


def _begun(run: Run) -> str:
    return run.events[0].at if run.events else ""

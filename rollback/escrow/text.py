"""Text of the escrow: kept files, files to be removed, results of checks and fetches, for people."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from nornir_upgrade.console.table import columns
from nornir_upgrade.console.text import in_bytes
from nornir_upgrade.core.escrow.collect import Collected
from nornir_upgrade.core.escrow.escrow import Kept
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.runner.required_files import Capture
from rollback.snapshot import SnapshotEntry

from .prune import Unreferenced
from .verify import EscrowCheck

_HOSTS_SHOWN = 4


def packages(kept: Iterable[Kept], places: Callable[[str], tuple[str, ...]]) -> str:
    """A table of package files, with the `places` where each digest is; '' if there are none."""
    rows = [
        (
            f"{k.file.name}:{k.file.arch}",
            k.file.version,
            in_bytes(k.size),
            k.source,
            k.checked,
            k.host,
            _some(places(k.digest)),
        )
        for k in kept
    ]
    head = ("package", "version", "size", "source", "checked by", "from", "kept on")
    return columns(head, rows) if rows else ""


def captures(captured: Iterable[Capture], sizes: Mapping[str, int]) -> str:
    """A table of what runs captured, a host's files in one line; '' if they captured nothing."""
    groups: dict[tuple[str, str, str], dict[str, str]] = {}
    for capture in captured:
        groups.setdefault((capture.run, capture.host, capture.what), {})[capture.name] = capture.digest
    rows = [
        (
            what,
            next(iter(names)) if len(names) == 1 else f"{len(names)} of them",
            _size(names.values(), sizes),
            host,
            run,
        )
        for (run, host, what), names in groups.items()
    ]
    return columns(("captured", "of", "size", "host", "run"), rows) if rows else ""


def files(captured: Iterable[FileState]) -> str:
    """A table of captured files."""
    rows = [
        (file.path, file.kind, file.mode or "-", f"{file.owner}:{file.group}" if file.owner else "-", file.target)
        for file in captured
    ]
    return columns(("path", "kind", "mode", "owner", "target"), rows) if rows else "Nothing was captured there."


def waste(unneeded: Unreferenced, kept: Iterable[Kept]) -> Iterator[str]:
    """The files to be removed, a line each; copies on hosts take one line a file."""
    yield from (f"{package.file} ({package.source}, {in_bytes(package.size)})" for package in unneeded.packages)
    if others := len(set(unneeded.objects) - {package.digest for package in unneeded.packages}):
        yield f"{others} objects of runs that are undone, or of no run"
    files = {package.digest: str(package.file) for package in kept}
    hosts: dict[str, list[str]] = {}
    for host, digests in sorted(unneeded.copies.items()):
        for digest in digests:
            hosts.setdefault(files.get(digest, digest), []).append(host)
    yield from (f"the copy on {_some(names)}: {file}" for file, names in sorted(hosts.items()))


def all_needed(runs: Collection[Run], snapshots: Iterable[SnapshotEntry]) -> str:
    """Why nothing is removed."""
    own = [f"{entry.id}{f' ({entry.label})' if entry.label else ''}" for entry in snapshots if not entry.run]
    undone = sum(run.status in ("undone", "untouched") for run in runs)
    text = "Nothing to remove: all that is kept is needed"
    if own:
        text += f" for a way back to snapshot {own[0]}, which was taken for itself, or a later state"
    if undone:
        text += f".\n{undone} runs are undone; a way back to an earlier state still reads them"
    return f"{text}."


def amount(unneeded: Unreferenced, size: int) -> str:
    """How much would be removed."""
    copies = sum(map(len, unneeded.copies.values()))
    more = f" and {copies} copies on {len(unneeded.copies)} hosts" if copies else ""
    return f"{len(unneeded.objects)} objects, {in_bytes(size)}{more}"


def inspected(check: EscrowCheck) -> str:
    """The result of reading everything."""
    copies = f", {check.copies} copies on hosts" if check.copies else ""
    verdict = (
        "NOT all whole:" if check.faults else "all whole." if not check.silent else "all whole that could be read."
    )
    silent = [f"{host}: NOT read: {why}" for host, why in sorted(check.silent.items())]
    return "\n".join((f"{check.objects} objects, {in_bytes(check.bytes)}{copies}: {verdict}", *check.faults, *silent))


def fetched(collected: Collected, wanted: int) -> str:
    """The result of fetching `wanted` files."""
    size, rebuilt = sum(package.size for package in collected.kept), sum(package.rebuilt for package in collected.kept)
    text = (
        f"Fetched {len(collected.kept)} files, {in_bytes(size)}" + f", {rebuilt} of them rebuilt" * bool(rebuilt) + "."
    )
    if not wanted:
        text = "Nothing to fetch: no package is asked for."
    elif not collected.kept and not collected.missing:
        text = "Nothing to fetch: all is in escrow."
    lines = [f"NOT to be had: {file}: {why}" for file, why in sorted(collected.missing.items())]
    lines += [f"No copies on {host}: {why}" for host, why in sorted(collected.without.items())]
    return "\n".join((text, *lines))


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_HOSTS_SHOWN])
    more = f" and {len(names) - _HOSTS_SHOWN} more" if len(names) > _HOSTS_SHOWN else ""
    return f"{shown}{more}" or "nowhere"


def _size(digests: Iterable[str], sizes: Mapping[str, int]) -> str:
    return in_bytes(sum(sizes.get(digest, 0) for digest in set(digests)))

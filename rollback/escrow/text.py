"""What is kept for a way back, as people read it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from nornir_upgrade.console.output import columns
from nornir_upgrade.console.text import in_bytes
from nornir_upgrade.core.escrow.collect import Collected
from nornir_upgrade.core.escrow.escrow import Kept
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.runner.captures import Capture
from rollback.snapshot import Entry

from .prune import Waste
from .verify import Inspection

_HOSTS_SHOWN = 4


def packages(kept: Iterable[Kept], places: Callable[[str], tuple[str, ...]]) -> str:
    """A table of package files, with the `places` where each digest is; '' where there are none."""
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
    """A table of what runs captured, a host's files in one line; '' where they captured nothing."""
    groups: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in captured:
        groups.setdefault((one.run, one.host, one.what), {})[one.name] = one.digest
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
        (one.path, one.kind, one.mode or "-", f"{one.owner}:{one.group}" if one.owner else "-", one.target)
        for one in captured
    ]
    return columns(("path", "kind", "mode", "owner", "target"), rows) if rows else "Nothing was captured there."


def waste(found: Waste, kept: Iterable[Kept]) -> Iterator[str]:
    """What would go, a line each; of copies on hosts one for each file."""
    yield from (f"{one.file} ({one.source}, {in_bytes(one.size)})" for one in found.packages)
    if others := len(set(found.objects) - {one.digest for one in found.packages}):
        yield f"{others} objects of runs that are undone, or of nothing"
    files = {one.digest: str(one.file) for one in kept}
    hosts: dict[str, list[str]] = {}
    for host, digests in sorted(found.copies.items()):
        for digest in digests:
            hosts.setdefault(files.get(digest, digest), []).append(host)
    yield from (f"the copy on {_some(names)}: {file}" for file, names in sorted(hosts.items()))


def all_needed(runs: Collection[Run], snapshots: Iterable[Entry]) -> str:
    """Why nothing goes."""
    own = [f"{one.id}{f' ({one.label})' if one.label else ''}" for one in snapshots if not one.run]
    undone = sum(run.status in ("undone", "untouched") for run in runs)
    text = "Nothing to remove: all that is kept is needed"
    if own:
        text += f" for a way back to snapshot {own[0]}, which was taken for itself, or a later state"
    if undone:
        text += f".\n{undone} runs are undone; a way back still reads them, for they came after a state that can be gone back to"
    return f"{text}."


def amount(found: Waste, size: int) -> str:
    """How much would go."""
    copies = sum(map(len, found.copies.values()))
    more = f" and {copies} copies on {len(found.copies)} hosts" if copies else ""
    return f"{len(found.objects)} objects, {in_bytes(size)}{more}"


def inspected(found: Inspection) -> str:
    """What came of reading everything."""
    copies = f", {found.copies} copies on hosts" if found.copies else ""
    verdict = (
        "NOT all whole:" if found.faults else "all whole." if not found.silent else "all whole that could be read."
    )
    silent = [f"{host}: NOT read: {why}" for host, why in sorted(found.silent.items())]
    return "\n".join((f"{found.objects} objects, {in_bytes(found.bytes)}{copies}: {verdict}", *found.faults, *silent))


def fetched(found: Collected, wanted: int) -> str:
    """What came of fetching `wanted` files."""
    size, rebuilt = sum(one.size for one in found.kept), sum(one.rebuilt for one in found.kept)
    text = f"Fetched {len(found.kept)} files, {in_bytes(size)}" + f", {rebuilt} of them rebuilt" * bool(rebuilt) + "."
    if not wanted:
        text = "Nothing to fetch: no package is asked for."
    elif not found.kept and not found.missing:
        text = "Nothing to fetch: all is in escrow."
    lines = [f"NOT to be had: {file}: {why}" for file, why in sorted(found.missing.items())]
    lines += [f"No copies on {host}: {why}" for host, why in sorted(found.without.items())]
    return "\n".join((text, *lines))


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_HOSTS_SHOWN])
    more = f" and {len(names) - _HOSTS_SHOWN} more" if len(names) > _HOSTS_SHOWN else ""
    return f"{shown}{more}" or "nowhere"


def _size(digests: Iterable[str], sizes: Mapping[str, int]) -> str:
    return in_bytes(sum(sizes.get(digest, 0) for digest in set(digests)))

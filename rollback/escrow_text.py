"""What is kept for a way back, as people read it."""

from collections.abc import Iterable, Iterator, Mapping

from nornir_upgrade.captures import Capture
from nornir_upgrade.core.collect import Collected
from nornir_upgrade.core.escrow import Kept
from nornir_upgrade.screen import columns
from nornir_upgrade.words import in_bytes

from .keeping import Waste


def packages(kept: Iterable[Kept]) -> str:
    """A table of package files; '' where there are none."""
    rows = [
        (f"{k.file.name}:{k.file.arch}", k.file.version, in_bytes(k.size), k.source, k.checked, k.host) for k in kept
    ]
    return columns(("package", "version", "size", "source", "checked by", "from"), rows) if rows else ""


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


def waste(found: Waste) -> Iterator[str]:
    """What would go, a line each."""
    yield from (f"{one.file} ({one.source}, {in_bytes(one.size)})" for one in found.packages)
    if others := len(set(found.objects) - {one.digest for one in found.packages}):
        yield f"{others} objects of runs that are undone, or of nothing"


def fetched(found: Collected, wanted: int) -> str:
    """What came of fetching `wanted` files."""
    size, rebuilt = sum(one.size for one in found.kept), sum(one.rebuilt for one in found.kept)
    text = f"Fetched {len(found.kept)} files, {in_bytes(size)}" + f", {rebuilt} of them rebuilt" * bool(rebuilt) + "."
    if not wanted:
        text = "Nothing to fetch: no package is asked for."
    elif not found.kept and not found.missing:
        text = "Nothing to fetch: all is in escrow."
    return "\n".join((text, *(f"NOT to be had: {file}: {why}" for file, why in sorted(found.missing.items()))))


def _size(digests: Iterable[str], sizes: Mapping[str, int]) -> str:
    return in_bytes(sum(sizes.get(digest, 0) for digest in set(digests)))

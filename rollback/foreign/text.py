"""Text of foreign packages: what happens to packages that were added since a snapshot. Hosts with the same list share it."""

from collections.abc import Callable, Iterable, Mapping

from nornir_upgrade.core.packaging.format import format_of
from rollback.manifest.model import STAYS, Change, Manifest

from .removal import Parting, purged


def stays_in_text(manifests: Mapping[str, Manifest]) -> str:
    """The packages that are kept because no run installed them, and those that they need; '' if there are none."""
    return _blocks(manifests, _stays, "installed by others since, stay (--remove-foreign removes them)")


def data_in_text(manifests: Mapping[str, Manifest]) -> str:
    """The packages whose data are kept, with the flag that deletes them; '' if there are none."""
    return _blocks(manifests, _keeps, "kept with their data")


def purged_in_text(manifests: Mapping[str, Manifest]) -> str:
    """Every package of which nothing is left, not even configuration; '' if there are none. rpm does not distinguish this."""
    purging = {host: manifest for host, manifest in manifests.items() if format_of(manifest.family).purges}
    goes = {host: tuple(change.name for change in purged(manifest)) for host, manifest in purging.items()}
    return _shared({host: (f"purged: {', '.join(names)}",) for host, names in goes.items() if names}, "")


def unmatched(manifests: Iterable[Manifest], asked: Parting) -> tuple[str, ...]:
    """The patterns of `--purge` that match no package to be removed."""
    names = {change.name for manifest in manifests for change in manifest.changes if change.action == "remove"}
    return tuple(
        pattern for pattern in asked.purge if not any(Parting(purge=(pattern,)).purges(name) for name in names)
    )


def _stays(change: Change, _: str) -> str:
    if change.action not in STAYS or not (change.foreign or change.kept_for):
        return ""
    why = f"{change.kept_for} needs it" if change.kept_for else ""
    rest = "" if change.installed else "its configuration"
    return " ".join(filter(None, (change.name, change.installed or rest, f"({why})" if why else "")))


def _keeps(change: Change, family: str) -> str:
    if not change.data or (change.action == "remove" and not change.target):
        return ""
    purges = format_of(family).purges
    done = "stays" if not purges or change.action in STAYS else "is removed, not purged"
    verb = "purge" if purges else "remove"
    return f"{change.name} {done}: {', '.join(change.data)}; {verb} it with --purge {change.name}"


def _blocks(manifests: Mapping[str, Manifest], line_of: Callable[[Change, str], str], head: str) -> str:
    lines = {
        host: tuple(line for change in manifest.changes if (line := line_of(change, manifest.family)))
        for host, manifest in manifests.items()
    }
    return _shared({host: some for host, some in lines.items() if some}, head)


def _shared(lines: Mapping[str, tuple[str, ...]], head: str) -> str:
    hosts: dict[tuple[str, ...], list[str]] = {}
    for host, some in lines.items():
        hosts.setdefault(some, []).append(host)
    title = f"{head}:" if head else ""
    return "\n".join(
        "\n".join((f"{', '.join(names)}: {title}".rstrip(), *(f"  {line}" for line in some)))
        for some, names in hosts.items()
    )

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
    purging = {host: one for host, one in manifests.items() if format_of(one.family).purges}
    goes = {host: tuple(one.name for one in purged(manifest)) for host, manifest in purging.items()}
    return _shared({host: (f"purged: {', '.join(names)}",) for host, names in goes.items() if names}, "")


def unmatched(manifests: Iterable[Manifest], asked: Parting) -> tuple[str, ...]:
    """The patterns of `--purge` that match no package to be removed."""
    names = {change.name for one in manifests for change in one.changes if change.action == "remove"}
    return tuple(one for one in asked.purge if not any(Parting(purge=(one,)).purges(name) for name in names))


def _stays(one: Change, _: str) -> str:
    if one.action not in STAYS or not (one.foreign or one.kept_for):
        return ""
    why = f"{one.kept_for} needs it" if one.kept_for else ""
    rest = "" if one.installed else "its configuration"
    return " ".join(filter(None, (one.name, one.installed or rest, f"({why})" if why else "")))


def _keeps(one: Change, family: str) -> str:
    if not one.data or (one.action == "remove" and not one.target):
        return ""
    purges = format_of(family).purges
    done = "stays" if not purges or one.action in STAYS else "is removed, not purged"
    verb = "purge" if purges else "remove"
    return f"{one.name} {done}: {', '.join(one.data)}; {verb} it with --purge {one.name}"


def _blocks(manifests: Mapping[str, Manifest], line_of: Callable[[Change, str], str], head: str) -> str:
    lines = {
        host: tuple(line for change in one.changes if (line := line_of(change, one.family)))
        for host, one in manifests.items()
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

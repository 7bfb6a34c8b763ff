"""Computed ways back: shown as words, commands or a document on stdout, with what they do not reach on stderr."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nornir_upgrade.console.output import Screen

COMMANDS = ("apt", "dnf")
"""The forms of -o that are commands, each named after its tool."""

if TYPE_CHECKING:
    from rollback.foreign.removal import Parting
    from rollback.manifest.model import Manifest
    from rollback.offline.consistency import Checked


@dataclass(frozen=True, slots=True)
class Computed:
    """The manifest of each host, and two functions that report it.

    `print_result` prints all of it on stdout in the form that -o asks for. `report_limits` reports on stderr what the manifests do
    not reach; it raises if one does not lead where it was asked to.
    """

    manifests: "Mapping[str, Manifest]"
    print_result: Callable[[Screen], None]
    report_limits: Callable[[Screen], None]

    def show(self, screen: Screen, only: Iterable[str], out: Path | None, explain: str) -> None:
        """Write the manifests to `out`; print them, or of the package `explain` what happens to it; report their limits.

        Raises `InvalidInput` if a pattern of `only` matches no package, and as `report_limits`.
        """
        from rollback.manifest.files import reasons, refuse_unmatched, write_all

        refuse_unmatched(self.manifests.values(), only)
        if out is not None:
            write_all(self.manifests, out)
        if explain:
            lines = reasons(self.manifests.values(), explain)
            screen.result({"package": explain, "reasons": list(lines)}, "\n".join(lines))
        else:
            self.print_result(screen)
        self.report_limits(screen)


def words(manifest: "Manifest", native: str, form: str) -> tuple[str, ...]:
    """The changes in the form that -o asks for."""
    from rollback.manifest import commands

    return commands.of_list(manifest, form, native) if form in COMMANDS else commands.words(manifest, native)


def by_host(lines: Mapping[str, Iterable[str]]) -> str:
    """The lines of every host; if there are several hosts, each name stands as a comment above its lines."""
    several = len(lines) > 1
    return "\n".join("\n".join((*([f"# {host}"] if several else ()), *its)) for host, its in lines.items())


def report_checks(screen: Screen, checks: "Collection[Checked]") -> None:
    """Report on stderr how far the manifests were checked. Raises if one does not lead where it was asked to."""
    from rollback.manifest.deviations import require_agreed
    from rollback.manifest.model import require_solved

    for checked in checks:
        for note in checked.notes:
            screen.note(f"{checked.manifest.host}: {note}")
    manifests = [checked.manifest for checked in checks]
    require_solved(manifests)
    require_agreed(manifests, "give a repository that has what is missing, or see to these packages by hand")


def warn_of_unmatched(screen: Screen, manifests: "Iterable[Manifest]", parting: "Parting") -> None:
    """Name on stderr each pattern of --purge that matches no package to be removed."""
    from rollback.foreign.text import unmatched

    for pattern in unmatched(manifests, parting):
        screen.warn(f"--purge {pattern!r} is for no package that goes.")

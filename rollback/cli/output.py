"""How a computed way back is said: words or commands on stdout, what it does not reach on stderr."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from nornir_upgrade.console.output import Screen

if TYPE_CHECKING:
    from rollback.manifest.model import Manifest
    from rollback.offline.consistency import Checked

COMMANDS = ("apt", "dnf")
"""The forms of -o that are commands, each named after its tool."""


def words(manifest: "Manifest", native: str, form: str) -> tuple[str, ...]:
    """The changes in the form that -o asks for."""
    from rollback.manifest import commands

    return commands.of_list(manifest, form, native) if form in COMMANDS else commands.words(manifest, native)


def by_host(words: Mapping[str, Iterable[str]]) -> str:
    """The lines of every host; where there are several, each host's under its name as a comment."""
    several = len(words) > 1
    return "\n".join("\n".join((*([f"# {host}"] if several else ()), *lines)) for host, lines in words.items())


def judge(screen: Screen, found: "Collection[Checked]") -> None:
    """Say on stderr how far the manifests were checked. Raises where one does not lead where it was asked to."""
    from rollback.manifest.deviations import require_agreed
    from rollback.manifest.model import require_solved

    for one in found:
        for note in one.notes:
            screen.note(f"{one.manifest.host}: {note}")
    manifests = [one.manifest for one in found]
    require_solved(manifests)
    require_agreed(manifests, "give a repository that has what is missing, or see to these packages by hand")

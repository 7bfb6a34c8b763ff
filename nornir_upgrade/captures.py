"""Captures: the objects of the store that runs made before they changed something, by host and by what they are of. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from .core.run import Run
from .core.step import Step
from .steps.databases import RestoreDatabase
from .steps.files import RestoreFiles
from .steps.repositories import SetRepository


@dataclass(frozen=True, slots=True)
class Capture:
    """Something that a run captured, as an object: what it is of, on which host. `what` is configuration, dump or repository."""

    run: str
    host: str
    what: str
    name: str
    digest: str


def captures(runs: Iterable[Run]) -> tuple[Capture, ...]:
    """All that runs captured, oldest first."""
    return tuple(
        Capture(run.id, place.host, *told)
        for run in runs
        for place, before in run.started.items()
        if before is not None
        for told in _captured(before)
    )


def _captured(before: Step) -> Iterable[tuple[str, str, str]]:
    match before:
        case RestoreFiles():
            yield from (("configuration", entry.path, entry.digest) for entry in before.entries if entry.digest)
        case RestoreDatabase() if before.dump:
            yield ("dump", before.database, before.dump)
        case SetRepository() if before.digest:
            yield ("repository", before.path, before.digest)

"""Captures: the objects of the store that runs made before they changed something, by host and by what they are of. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.core.transport.odd_names import is_odd
from nornir_upgrade.steps.databases import RestoreDatabase
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.state import RestoreState, left_alone


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


def captured_files(run: Run, host: str) -> dict[str, FileState]:
    """Every file, directory and link of `host` that `run` captured, by path; of one captured twice what it was first.

    What a run noted at its end is no capture, nor is what it left alone.
    """
    found: dict[str, FileState] = {}
    for place, before in run.started.items():
        if place.host != host:
            continue
        if isinstance(before, RestoreFiles) or (isinstance(before, RestoreState) and before.part != "end"):
            for entry in before.entries:
                if not left_alone(entry):
                    found.setdefault(entry.path, entry)
        elif isinstance(before, SetRepository) and before.digest:
            found.setdefault(before.path, FileState(before.path, "file", digest=before.digest))
    return dict(sorted(found.items()))


def _captured(before: Step) -> Iterable[tuple[str, str, str]]:
    match before:
        case RestoreState():
            yield from (("configuration", entry.path, entry.digest) for entry in before.kept)
        case RestoreFiles():
            yield from (
                ("configuration", entry.path, entry.digest)
                for entry in before.entries
                if entry.digest and not is_odd(entry)
            )
        case RestoreDatabase() if before.dump:
            yield ("dump", before.database, before.dump)
        case SetRepository() if before.digest:
            yield ("repository", before.path, before.digest)

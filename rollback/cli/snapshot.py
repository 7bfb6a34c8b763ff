"""`compute` without --installed and --release: the way of hosts back to a snapshot."""

from functools import partial
from typing import TYPE_CHECKING

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen

from .computed import COMMANDS, Computed, by_host, warn_of_unmatched
from .request import ComputeRequest

if TYPE_CHECKING:
    from rollback.assess import Assessment


def from_snapshot(flags: Flags, request: ComputeRequest) -> Computed:
    """The way of every host back to the snapshot that --run or --snapshot names, as far as the solver that --missing asks for leads.

    Raises `UsageError` for flags that are for text files, and as `assess`.
    """
    from nornir_upgrade.config.settings import read
    from nornir_upgrade.core.store import Store
    from nornir_upgrade.runner.session import open_fleet, open_journal

    request.refuse_text_flags()
    request.refuse_blank_patterns()
    with open_journal(flags.config) as journal:
        snapshot = request.snapshot_in(journal)
        with open_fleet(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
            store = Store(read(flags.config).store)
            assessment = request.assess(Screen(flags), fleet, journal, store, snapshot)
    return Computed(
        assessment.manifests,
        partial(_print, assessment=assessment, form=flags.output),
        partial(_report, assessment=assessment, request=request),
    )


def _print(screen: Screen, assessment: "Assessment", form: str) -> None:
    from rollback.manifest.commands import of_host
    from rollback.manifest.model import document, lines

    printed = {
        host: of_host(manifest, form, assessment.now[host]) if form in COMMANDS else lines(manifest)
        for host, manifest in assessment.manifests.items()
    }
    documents = [document(manifest) for manifest in assessment.manifests.values()]
    screen.result({"manifests": documents}, by_host(printed))


def _report(screen: Screen, assessment: "Assessment", request: ComputeRequest) -> None:
    """Report what the way back does not reach, and what must change with it. Raises if nobody agreed to that."""
    from rollback.foreign.text import data_in_text, stays_in_text
    from rollback.manifest.deviations import in_text, pulled_in, require_agreed
    from rollback.manifest.model import require_solved

    manifests = tuple(assessment.manifests.values())
    warn_of_unmatched(screen, manifests, request.parting)
    require_solved(manifests)
    for text in (stays_in_text(assessment.manifests), data_in_text(assessment.manifests), pulled_in(manifests)):
        if text:
            screen.note(text)
    require_agreed(manifests, missing=request.missing is not None)
    if text := in_text(manifests):
        screen.warn(text)

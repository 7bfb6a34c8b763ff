"""`compute --release`: the way of hosts to a release that their repositories offer."""

from functools import partial
from typing import TYPE_CHECKING

import click

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen

from .computed import Computed, by_host, report_checks, words
from .request import ComputeRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollback.offline.consistency import Checked


def from_release(flags: Flags, request: ComputeRequest) -> Computed:
    """The way of every host to the newest versions of the release that --release names. No snapshot is read.

    Raises `UsageError` for flags that are for snapshots or text files, and as `rollback.release.ways`.
    """
    from nornir_upgrade.config.settings import make_private, read
    from nornir_upgrade.runner.session import looking
    from rollback.catalog.indexes import Shelf
    from rollback.offline.target import Target, rename
    from rollback.release import ways

    request.refuse_text_flags()
    if request.for_snapshot:
        raise click.UsageError(
            "--release needs no snapshot: give it without --run, --snapshot, --missing, --remove-foreign and --purge"
        )
    target = Target(request.release, None, tuple(map(rename, request.rename)), request.only)
    state = read(flags.config).state
    make_private(state)
    with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        by_name = ways(fleet, fleet.names, target, Shelf(state / "indexes"))
    return Computed(
        {host: checked.manifest for host, (checked, _) in by_name.items()},
        partial(_print, ways=by_name, form=flags.output),
        partial(report_checks, checks=[checked for checked, _ in by_name.values()]),
    )


def _print(screen: Screen, ways: "Mapping[str, tuple[Checked, str]]", form: str) -> None:
    from rollback.manifest.model import document

    printed = {host: words(checked.manifest, native, form) for host, (checked, native) in ways.items()}
    documents = [document(checked.manifest) for checked, _ in ways.values()]
    screen.result({"manifests": documents}, by_host(printed))

"""`compute --release`: the way of the hosts themselves to a release that their repositories offer."""

from pathlib import Path

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen

from .offline import Texts
from .output import by_host, judge, words


def from_release(flags: Flags, given: Texts, out: Path | None, explain: str) -> None:
    """The manifest of every host goes to stdout, what is wrong with them to stderr."""
    from nornir_upgrade.config.settings import make_private, read
    from nornir_upgrade.runner.session import open_fleet
    from rollback.catalog.indexes import Shelf
    from rollback.manifest.files import reasons, refuse_unmatched, write_all
    from rollback.manifest.model import document
    from rollback.offline.target import Target, rename
    from rollback.release import ways

    screen = Screen(flags)
    aim = Target(given.release, None, tuple(rename(one) for one in given.rename), given.only)
    state = read(flags.config).state
    make_private(state)
    with open_fleet(flags.config, limit=flags.limit, workers=flags.workers) as fleet:
        found = ways(fleet, fleet.names, aim, Shelf(state / "indexes"))
    manifests = {host: checked.manifest for host, (checked, _) in found.items()}
    refuse_unmatched(manifests.values(), given.only)
    if out is not None:
        write_all(manifests, out)
    if explain:
        lines = reasons(manifests.values(), explain)
        screen.result({"package": explain, "reasons": list(lines)}, "\n".join(lines))
    else:
        printed = {host: words(one.manifest, native, flags.output) for host, (one, native) in found.items()}
        screen.result({"manifests": [document(one) for one in manifests.values()]}, by_host(printed))
    judge(screen, [checked for checked, _ in found.values()])

"""Edited since: files that somebody changed after the runs, and that a way back takes back. A look at the hosts."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from nornir_upgrade.console.text import printable
from nornir_upgrade.core.engine import Fleet
from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.transport.host import FileState, Host
from nornir_upgrade.core.transport.odd_names import is_odd
from nornir_upgrade.runner.session import ask_all
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.state import RestoreState
from rollback.plan.scope import scope
from rollback.plan.undo_log import trail

from .assess import Survey

_Restore = RestoreFiles | RestoreState

_TIMEOUT = 300.0  # seconds
# A file that was put in place after the runs: the change of its inode cannot be set back.
NEWER = """\
since=$1; shift
for root do [ ! -e "$root" ] || find "$root" -newerct "@$since" ! -type d -print0; done
"""


def edited(fleet: Fleet, found: Survey) -> dict[str, tuple[str, ...]]:
    """By host, the files that runs captured, and that changed after the last run ended and will be as they were captured.

    Changes nothing. A host on which a run is unfinished tells nothing: there is no moment after it.
    """
    since = _last_end(found.runs)
    restores = {host: _restores(found, host) for host in found.now}
    asked = {host: steps for host, steps in restores.items() if steps}
    if not since or not asked:
        return {}

    def ask(host: Host) -> tuple[str, ...]:
        steps = asked[host.name]
        paths = _newer(host, since, [root for step in steps for root in step.roots])
        return tuple(sorted(_reverted(host, paths, steps))) if paths else ()

    answers = ask_all(fleet, tuple(asked), ask)
    return {host: paths for host, paths in answers.items() if paths}


def in_text(edits: Mapping[str, tuple[str, ...]]) -> str:
    """What was edited since, and how it is had again; '' where nothing was."""
    return "\n".join(
        "\n".join(
            (
                f"{host}: edited since, and will be taken back (will be kept: rollback escrow show last {host} PATH):",
                *map(_line, paths),
            )
        )
        for host, paths in edits.items()
    )


def _line(path: str) -> str:
    return f"  {printable(path)}"


def _restores(found: Survey, host: str) -> tuple[_Restore, ...]:
    about = scope(found.manifests[host], found.snapshot.of(host), found.now[host])
    left = about.trail(trail(found.runs, host, consent=frozenset({host})))
    return (*left.captures, *left.edits, *((left.state,) if left.state else ()))


def _last_end(runs: Iterable[Run]) -> str:
    """The moment of the last end, in seconds; '' where there is none, or a run goes on."""
    every = tuple(runs)
    ends = [event.at for run in every for event in run.events if event.what == "run_ended"]
    if not ends or any(run.status == "open" for run in every):
        return ""
    return f"{datetime.fromisoformat(ends[-1]).timestamp():.3f}"


def _newer(host: Host, since: str, roots: Iterable[str]) -> tuple[str, ...]:
    result = host.run(("sh", "-c", NEWER, "sh", since, *dict.fromkeys(roots)), timeout=_TIMEOUT, check=False)
    if result.status != 0:
        raise CommandFailed(host.name, "find", result.status, result.errors)
    return tuple(path for path in result.text.split("\0") if path)


def _reverted(host: Host, paths: tuple[str, ...], steps: Iterable[_Restore]) -> set[str]:
    """Those of the paths at which what stands will not: captured otherwise, or not there, and no package that stays holds it."""
    trees = [step for step in steps if isinstance(step, RestoreFiles)]
    states = [step for step in steps if isinstance(step, RestoreState)]
    found = {one.path for one in (host.stat(paths) if trees else ()) if _in_trees(one, trees)}
    return found | {one.path for one in (host.survey(paths) if states else ()) if any(s.reverts(one) for s in states)}


def _in_trees(now: FileState, steps: Iterable[RestoreFiles]) -> bool:
    for step in steps:
        below = any(now.path == root or now.path.startswith(f"{root.rstrip('/')}/") for root in step.roots)
        spared = any(now.path == one or now.path.startswith(f"{one}/") for one in step.spare)
        if below and not spared and not is_odd(now):
            return now not in step.entries
    return False

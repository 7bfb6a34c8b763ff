"""Edits: files that somebody changed after the runs, and that a way back restores. The hosts are asked."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from nornir_upgrade.console.text import printable
from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.transport.host import FileState, Fleet, Host
from nornir_upgrade.core.transport.odd_names import is_odd
from nornir_upgrade.runner.session import ask_all
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.state import RestoreState
from rollback.plan.scope import scope
from rollback.plan.undo_log import trail

from .assess import Assessment

_Restore = RestoreFiles | RestoreState

_TIMEOUT = 300.0  # seconds
# Finds files that were written or moved here after the runs: nobody can set back the change time of an inode.
NEWER = """\
since=$1; shift
for root do [ ! -e "$root" ] || find "$root" -newerct "@$since" ! -type d -print0; done
"""


def edited(fleet: Fleet, assessment: Assessment) -> dict[str, tuple[str, ...]]:
    """By host, the captured files that changed after the last run ended, and that the way back will restore.

    Changes nothing. Empty while a run is open: no moment is after it.
    """
    since = _last_end(assessment.runs)
    restores = {host: _restores(assessment, host) for host in assessment.now}
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
    """The edited files, and the command that shows the edited version afterwards; '' if there are none."""
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


def _restores(assessment: Assessment, host: str) -> tuple[_Restore, ...]:
    about = scope(assessment.manifests[host], assessment.snapshot.of(host), assessment.now[host])
    left = about.trail(trail(assessment.runs, host, consent=frozenset({host})))
    return (*left.captures, *left.edits, *((left.state,) if left.state else ()))


def _last_end(runs: Iterable[Run]) -> str:
    """When the last run ended, in seconds; '' if none ended, or one is still open."""
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
    """Those of the paths whose file will be replaced or removed: it differs from the capture, and no package that is kept holds it."""
    trees = [step for step in steps if isinstance(step, RestoreFiles)]
    states = [step for step in steps if isinstance(step, RestoreState)]
    in_trees = {file.path for file in (host.stat(paths) if trees else ()) if _in_trees(file, trees)}
    return in_trees | {
        file.path for file in (host.survey(paths) if states else ()) if any(s.reverts(file) for s in states)
    }


def _in_trees(now: FileState, steps: Iterable[RestoreFiles]) -> bool:
    for step in steps:
        below = any(now.path == root or now.path.startswith(f"{root.rstrip('/')}/") for root in step.roots)
        spared = any(now.path == path or now.path.startswith(f"{path}/") for path in step.spare)
        if below and not spared and not is_odd(now):
            return now not in step.entries
    return False

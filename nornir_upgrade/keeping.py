"""Keeping: what a run will change or remove comes into escrow before anything is touched, so that the way back needs no repository."""

from collections.abc import Collection, Mapping

from .controller import Controller
from .core.collect import Collected, Progress, collect
from .core.errors import Blocked, DiskFull, Unreachable
from .core.escrow import Escrow
from .core.facts import HostFacts
from .core.plan import Plan
from .needs import Needs, families, needs
from .screen import Screen
from .tally import tally
from .words import in_bytes


def keep_old_packages(
    controller: Controller, plan: Plan, facts: Mapping[str, HostFacts], consent: Collection[str], screen: Screen
) -> None:
    """Afterwards the escrow has every version that `plan` changes or removes, each file once for the fleet.

    Nothing is changed on a host. Raises `Unreachable`, `DiskFull`, what came being kept, and `Blocked` naming what cannot be had for
    a host that is not in `consent`.
    """
    if controller.settings.keep == "none":
        return
    wanted = needs(plan, facts)
    with tally(screen, "Kept for the way back") as tell:

        def told(progress: Progress) -> None:
            tell(*in_text(progress))

        found = collect(controller.fleet, families(facts), wanted, Escrow.beside(controller.store), told)
    for failure in found.failures.values():
        if isinstance(failure, DiskFull | Unreachable):
            raise failure
    if found.kept:
        screen.note(f"Kept {len(found.kept)} package files for the way back, {in_bytes(found.bytes)}")
    _refuse_missing(found, wanted, consent)


def in_text(progress: Progress) -> tuple[str, str]:
    """How far fetching has come, and of how much."""
    left = f", about {progress.left:.0f} s left" if progress.left is not None else ""
    done = f"{progress.files} of {progress.of_files} files, {in_bytes(progress.bytes)}"
    return done, f"{in_bytes(progress.of_bytes)}{left}"


def _refuse_missing(found: Collected, wanted: Needs, consent: Collection[str]) -> None:
    lost = {host: [file for file in files if file in found.missing] for host, files in wanted.items()}
    lines = [
        f"{host}: no way back: {file}: {found.missing[file]}"
        for host, files in lost.items()
        for file in files
        if host not in consent
    ]
    if lines:
        flags = " ".join(
            f"--accept-no-way-back {host}" for host, files in lost.items() if files and host not in consent
        )
        raise Blocked("\n".join(lines), hint=f"nothing was changed; go on all the same with {flags}")

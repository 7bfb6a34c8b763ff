"""Keeping: what a run will change or remove comes into escrow before anything is touched, so that the way back needs no repository."""

from collections.abc import Collection, Mapping

from nornir_upgrade.console.counter import tally
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.text import in_bytes
from nornir_upgrade.core.errors import Blocked, DiskFull, Unreachable
from nornir_upgrade.core.escrow.collect import Collected, CollectProgress
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.escrow.fleet_copies import mend
from nornir_upgrade.core.escrow.share import share
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.plan import Plan

from .required_files import Needs, downgraded, managers, needs
from .session import Session


def keep_old_packages(
    session: Session, plan: Plan, facts: Mapping[str, HostFacts], consent: Collection[str], screen: Screen
) -> None:
    """Afterwards the escrow has every version that `plan` changes or removes, each file once for the fleet.

    Nothing is changed on a host. Raises `Unreachable`, `DiskFull`, what came being kept, and `Blocked` naming what cannot be had for
    a host that is not in `consent`.
    """
    if session.settings.keep == "none":
        return
    wanted = needs(plan, facts)
    found = fetch(session, managers(facts), wanted, screen, "Kept for the way back")
    for failure in found.failures.values():
        if isinstance(failure, DiskFull | Unreachable):
            raise failure
    if found.kept:
        screen.note(f"Kept {len(found.kept)} package files for the way back, {in_bytes(found.bytes)}")
    for host, reason in sorted(found.without.items()):
        screen.warn(f"{host} keeps no copies of its own, the controller has all: {reason}")
    _refuse_missing(found, wanted, consent)


def fetch(session: Session, managers: Mapping[str, str], wanted: Needs, screen: Screen, what: str) -> Collected:
    """What came of bringing `wanted` to where the settings keep things, else to the controller; tells of `what`."""
    keep = session.settings.keep
    with tally(screen, what) as tell:

        def told(progress: CollectProgress) -> None:
            tell(*in_text(progress))

        escrow = Escrow.beside(session.store)
        return share(session.fleet, managers, wanted, escrow, "controller" if keep == "none" else keep, told)


def mend_copies(session: Session, plan: Plan) -> None:
    """Afterwards what `plan` takes back and hosts alone keep is whole on each host, as far as any of them has it."""
    escrow = Escrow.beside(session.store)
    if escrow.holders.list():
        mend(session.fleet, session.fleet.names, escrow, downgraded(plan))


def in_text(progress: CollectProgress) -> tuple[str, str]:
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

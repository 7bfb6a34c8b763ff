"""Keeping: old package files are stored in escrow before a run changes anything, so that the way back needs no repository."""

from collections.abc import Collection, Mapping

from nornir_upgrade.console.counter import counter
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.text import in_bytes
from nornir_upgrade.core.errors import Blocked, DiskFull, Unreachable
from nornir_upgrade.core.escrow.collect import Collected, CollectProgress
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.escrow.fleet_copies import mend
from nornir_upgrade.core.escrow.share import share
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.plan import Plan

from .required_files import RequiredFiles, downgraded_files, managers, required_files
from .session import Session


def keep_old_packages(
    session: Session, plan: Plan, facts: Mapping[str, HostFacts], consent: Collection[str], screen: Screen
) -> None:
    """Afterwards the escrow has every package version that `plan` changes or removes, each file once for the fleet.

    The packages of hosts do not change. Raises `Unreachable` and `DiskFull`; files fetched until then stay in escrow.
    Raises `Blocked` naming the files that cannot be obtained for a host that is not in `consent`.
    """
    if session.settings.keep == "none":
        return
    required = required_files(plan, facts)
    collected = fetch_files(session, managers(facts), required, screen, "Kept for the way back")
    for failure in collected.failures.values():
        if isinstance(failure, DiskFull | Unreachable):
            raise failure
    if collected.kept:
        screen.note(f"Kept {len(collected.kept)} package files for the way back, {in_bytes(collected.bytes)}")
    for host, reason in sorted(collected.without.items()):
        screen.warn(f"{host} keeps no copies of its own, the controller has all: {reason}")
    _refuse_missing(collected, required, consent)


def fetch_files(
    session: Session, managers: Mapping[str, str], required: RequiredFiles, screen: Screen, what: str
) -> Collected:
    """The result of fetching `required` to the place of the setting `keep`; with `none`, to the controller.

    `what` names the work in the progress on stderr.
    """
    keep = session.settings.keep
    with counter(screen, what) as count:

        def show(progress: CollectProgress) -> None:
            count(*progress_in_text(progress))

        escrow = Escrow.beside(session.store)
        return share(session.fleet, managers, required, escrow, "controller" if keep == "none" else keep, show)


def mend_copies(session: Session, plan: Plan) -> None:
    """Afterwards the hosts' copies of old packages that `plan` installs are undamaged, if any host has an undamaged copy.

    Files that the controller keeps are not concerned.
    """
    escrow = Escrow.beside(session.store)
    if escrow.holders.list():
        mend(session.fleet, session.fleet.names, escrow, downgraded_files(plan))


def progress_in_text(progress: CollectProgress) -> tuple[str, str]:
    """The part of the files that is fetched, and the whole, with the seconds left."""
    left = f", about {progress.left:.0f} s left" if progress.left is not None else ""
    done = f"{progress.files} of {progress.of_files} files, {in_bytes(progress.bytes)}"
    return done, f"{in_bytes(progress.of_bytes)}{left}"


def _refuse_missing(collected: Collected, required: RequiredFiles, consent: Collection[str]) -> None:
    missing = {host: [file for file in files if file in collected.missing] for host, files in required.items()}
    lines = [
        f"{host}: no way back: {file}: {collected.missing[file]}"
        for host, files in missing.items()
        for file in files
        if host not in consent
    ]
    if lines:
        flags = " ".join(
            f"--accept-no-way-back {host}" for host, files in missing.items() if files and host not in consent
        )
        raise Blocked("\n".join(lines), hint=f"nothing was changed; go on all the same with {flags}")

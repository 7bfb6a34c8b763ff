"""Proof of the way back: the questions of `planner.reversibility`, put to the hosts. Changes nothing."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.escrow.fleet_copies import whole
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.package_file import PackageFile, files_of
from nornir_upgrade.core.packaging.rehearsal import Rehearsed, rehearse
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.planner.reversibility import Reversibility, judge, questions, unoffered
from nornir_upgrade.runner.session import ask_all

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


def prove(
    fleet: "NornirFleet",
    plan: Plan,
    facts: Mapping[str, HostFacts],
    escrow: Escrow,
    note: Callable[[str], None],
    *,
    keeping: bool,
) -> tuple[Reversibility, ...]:
    """The proof for every host whose packages `plan` changes, in one round trip a host.

    `keeping`: before its first change the run keeps the old packages that can be obtained.
    Raises `Unreachable`, and `Unobtainable` if a host cannot fetch an index.
    """
    asked = questions(plan, facts)
    if asked:
        note(f"Asking {len(asked)} package managers for the way back")

    def ask(host: Host) -> Rehearsed:
        question = asked[host.name]
        return rehearse(host, question.manager, question.repositories, question.present, question.after, question.want)

    answers = ask_all(fleet, tuple(asked), ask)
    files = {file for name, question in asked.items() for file in unoffered(question, answers[name])}
    kept = _kept(fleet, escrow, files) if files else {}
    obtainable = _obtainable(facts) if keeping and files else frozenset()
    return tuple(judge(name, question, answers[name], kept, obtainable) for name, question in asked.items())


def _kept(fleet: "NornirFleet", escrow: Escrow, files: Iterable[PackageFile]) -> dict[PackageFile, Kept]:
    """Those of `files` that are kept undamaged, on the controller or on a host."""
    kept_files = {file: kept for file in files if (kept := escrow.find(file))}
    on_hosts = {
        kept.digest
        for file, kept in kept_files.items()
        if escrow.holders.of(kept.digest) and not escrow.has_whole(file)
    }
    undamaged = set().union(*whole(fleet, fleet.names, escrow, on_hosts).values()) if on_hosts else set()
    return {file: kept for file, kept in kept_files.items() if kept.digest in undamaged or escrow.has_whole(file)}


def _obtainable(facts: Mapping[str, HostFacts]) -> frozenset[PackageFile]:
    """The files of all installed packages. If a file can be fetched nowhere, a host rebuilds it from the installed package."""
    return frozenset(
        file
        for host in facts.values()
        for file in files_of(host.os.family, (package for package in host.packages if not package.interrupted))
    )

"""Proving: the questions of the proof put to the hosts. Changes nothing anywhere."""

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
    tell: Callable[[str], None],
    *,
    keeping: bool,
) -> tuple[Reversibility, ...]:
    """The verdict on every host whose packages `plan` changes. One round trip a host. `keeping`: the run keeps what is to be had
    before it changes anything.

    Raises `Unreachable`, and `Unobtainable` where a host cannot fetch an index.
    """
    asked = questions(plan, facts)
    if asked:
        tell(f"Asking {len(asked)} package managers for the way back")

    def ask(host: Host) -> Rehearsed:
        one = asked[host.name]
        return rehearse(host, one.manager, one.repositories, one.present, one.after, one.want)

    said = ask_all(fleet, tuple(asked), ask)
    due = {file for name, one in asked.items() for file in unoffered(one, said[name])}
    kept = _kept(fleet, escrow, due) if due else {}
    obtainable = _obtainable(facts) if keeping and due else frozenset()
    return tuple(judge(name, one, said[name], kept, obtainable) for name, one in asked.items())


def _kept(fleet: "NornirFleet", escrow: Escrow, files: Iterable[PackageFile]) -> dict[PackageFile, Kept]:
    """What is kept of `files` undamaged: here, or on a host."""
    found = {file: kept for file in files if (kept := escrow.find(file))}
    away = {
        kept.digest for file, kept in found.items() if escrow.holders.of(kept.digest) and not escrow.has_whole(file)
    }
    there = set().union(*whole(fleet, fleet.names, escrow, away).values()) if away else set()
    return {file: kept for file, kept in found.items() if kept.digest in there or escrow.has_whole(file)}


def _obtainable(facts: Mapping[str, HostFacts]) -> frozenset[PackageFile]:
    """What is wholly installed somewhere can be had: at worst its file is made anew there."""
    return frozenset(
        file
        for one in facts.values()
        for file in files_of(one.os.family, (package for package in one.packages if not package.interrupted))
    )

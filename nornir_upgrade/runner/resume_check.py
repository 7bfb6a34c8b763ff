"""Readiness: whether what is left of a run can be gone on with, and gone back from; looked at before anything more is touched."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from nornir_upgrade.console.output import Screen
from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import Blocked, RunStopped, Unreachable
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.registry import families
from nornir_upgrade.core.run import Run, StepPosition
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

from .keep import keep_old_packages
from .required_files import Capture, captures
from .session import Session, ask_all

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


def refuse_unready(session: Session, run: Run, consent: Collection[str], max_fail: int, screen: Screen) -> None:
    """Returns where the hosts that `run` still has work for answer, and all that its way back takes from here is kept and whole.

    What was lost of old packages is kept again as far as it is to be had. Raises `RunStopped` where so many hosts do not answer
    that the run would stop for them, and `Blocked` naming what was lost of every host that has not consented, then or now. The packages
    of hosts that do not answer are not looked at. Nothing is changed on a host, but that damaged indexes are fetched again.
    """
    silent = _silent(session.fleet, run.plan.hosts)
    _refuse_silent({name: silent[name] for name in ahead(run) if name in silent}, max_fail)
    _mend_indexes(session.fleet, [name for name in ahead(run) if name not in silent], screen)
    agreed = run.consent | frozenset(consent)
    _refuse_lost(captures((run,)), session.store, agreed)
    before = {name: facts for name, facts in _facts_before(session.journal, run).items() if name not in silent}
    keep_old_packages(session, run.plan, before, agreed, screen)


def ahead(run: Run) -> tuple[str, ...]:
    """The hosts that a step of `run` is still to be done on."""
    left = (
        work.host
        for number, wave in enumerate(run.plan.waves)
        for work in wave.work
        if any(StepPosition(number, work.host, index) not in run.done for index in range(len(work.steps)))
    )
    return tuple(dict.fromkeys(left))


def _silent(fleet: "NornirFleet", hosts: Sequence[str]) -> dict[str, Unreachable]:
    """The hosts that do not answer."""

    def knock(host: Host) -> None:
        host.run(("true",))

    answers = fleet.each(hosts, knock)
    return {name: answer for name, answer in answers.items() if isinstance(answer, Unreachable)}


def _mend_indexes(fleet: "NornirFleet", names: Sequence[str], screen: Screen) -> None:
    def repair(host: Host) -> tuple[str, ...]:
        repairs = [family.repair_indexes for family in families() if family.repair_indexes]
        return tuple(file for one in repairs for file in one(host))

    for name, files in ask_all(fleet, names, repair).items():
        if files:
            screen.note(f"{name}: {len(files)} damaged indexes were fetched again: {', '.join(files)}")


def _refuse_silent(lost: Mapping[str, Unreachable], max_fail: int) -> None:
    if len(lost) >= max_fail:
        remedies = dict.fromkeys(failure.hint for failure in lost.values() if failure.hint)
        ways = f"see to {', '.join(lost)}, and resume again; or let them fail, with --max-fail {len(lost) + 1}"
        raise RunStopped(
            "nothing more was changed: " + "\n".join(failure.message for failure in lost.values()),
            hint="\n  ".join([*remedies, ways]),
        )


def _refuse_lost(made: Iterable[Capture], store: Store, agreed: Collection[str]) -> None:
    """A capture cannot be made again: what it is of has changed since."""
    lost = {one: said for one in made if one.host not in agreed and (said := store.damaged(one.digest))}
    if lost:
        flags = " ".join(f"--accept-no-way-back {host}" for host in dict.fromkeys(one.host for one in lost))
        raise Blocked(
            "\n".join(f"{one.host}: no way back: {one.what} {one.name}: {said}" for one, said in lost.items()),
            hint=f"put a copy of it back (rollback escrow verify tells when all is whole); go on all the same with {flags}",
        )


def _facts_before(journal: Journal, run: Run) -> dict[str, HostFacts]:
    """The facts of the hosts before `run`; none where it was cut off before they were kept, and so before it touched anything."""
    kept = next((document for _, of, _, document in journal.snapshot_rows() if of == run.id), "[]")
    return {
        one.host: one for one in codec.loads(kept, tuple[HostFacts, ...], source=f"the snapshot before run {run.id}")
    }

"""Resume check: before a run continues, its hosts must answer, and the data kept for its way back must be undamaged."""

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
    """Returns if the remaining hosts of `run` answer, and the data kept for its way back are undamaged.

    Lost old packages are fetched into escrow again. Damaged indexes are fetched again on the hosts; nothing else is changed there.
    Packages of hosts that do not answer are not checked.
    Raises `RunStopped` if so many hosts do not answer that the run would stop for them.
    Raises `Blocked` naming the lost data of every host without consent, given now or before.
    """
    silent = _silent(session.fleet, run.plan.hosts)
    _refuse_silent({name: silent[name] for name in remaining_hosts(run) if name in silent}, max_fail)
    _mend_indexes(session.fleet, [name for name in remaining_hosts(run) if name not in silent], screen)
    agreed = run.consent | frozenset(consent)
    _refuse_damaged(captures((run,)), session.store, agreed)
    before = {name: facts for name, facts in _facts_before(session.journal, run).items() if name not in silent}
    keep_old_packages(session, run.plan, before, agreed, screen)


def remaining_hosts(run: Run) -> tuple[str, ...]:
    """The hosts on which a step of `run` is not done."""
    remaining = (
        work.host
        for number, wave in enumerate(run.plan.waves)
        for work in wave.work
        if any(StepPosition(number, work.host, index) not in run.done for index in range(len(work.steps)))
    )
    return tuple(dict.fromkeys(remaining))


def _silent(fleet: "NornirFleet", hosts: Sequence[str]) -> dict[str, Unreachable]:
    """Those of `hosts` that do not answer."""

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


def _refuse_silent(silent: Mapping[str, Unreachable], max_fail: int) -> None:
    if len(silent) >= max_fail:
        remedies = dict.fromkeys(failure.hint for failure in silent.values() if failure.hint)
        ways = f"see to {', '.join(silent)}, and resume again; or let them fail, with --max-fail {len(silent) + 1}"
        raise RunStopped(
            "nothing more was changed: " + "\n".join(failure.message for failure in silent.values()),
            hint="\n  ".join([*remedies, ways]),
        )


def _refuse_damaged(captures: Iterable[Capture], store: Store, agreed: Collection[str]) -> None:
    """A capture cannot be made again: its file or database has changed since."""
    damaged = {
        capture: damage
        for capture in captures
        if capture.host not in agreed and (damage := store.damaged(capture.digest))
    }
    if damaged:
        flags = " ".join(f"--accept-no-way-back {host}" for host in dict.fromkeys(one.host for one in damaged))
        raise Blocked(
            "\n".join(f"{one.host}: no way back: {one.what} {one.name}: {damage}" for one, damage in damaged.items()),
            hint="put a copy of it back (rollback escrow verify checks the escrow); "
            f"or continue without a way back: {flags}",
        )


def _facts_before(journal: Journal, run: Run) -> dict[str, HostFacts]:
    """The facts of the hosts before `run`, by host. A run interrupted before its snapshot was kept has none, and changed nothing."""
    document = next((document for _, of, _, document in journal.snapshot_rows() if of == run.id), "[]")
    snapshot = codec.loads(document, tuple[HostFacts, ...], source=f"the snapshot before run {run.id}")
    return {facts.host: facts for facts in snapshot}

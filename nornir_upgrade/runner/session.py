"""Controller: fleet, journal and store in one hand, and what is asked of them before the first touch. For both command lines."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nornir_upgrade.config import settings
from nornir_upgrade.config.settings import Settings
from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import (
    Blocked,
    DiskFull,
    Drift,
    Failure,
    HostUnreadable,
    InvalidInput,
    Irreversible,
    UnfinishedRun,
    UnknownName,
    Unreachable,
)
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.journal import Journal, owned
from nornir_upgrade.core.packaging.model import digest_of_packages
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Fleet, Host
from nornir_upgrade.report.summary import unfinished, ways_out
from nornir_upgrade.steps import registry as registry
from nornir_upgrade.steps.databases import DumpDatabase

if TYPE_CHECKING:  # nornir and netmiko take longer to import than most verbs need to run
    from nornir_upgrade.core.inventory.fleet import NornirFleet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """What a verb that changes hosts works with. `journal` is owned by this process."""

    settings: Settings
    fleet: "NornirFleet"
    journal: Journal
    store: Store


@contextmanager
def at_work(config: Path, command: str, *, limit: str = "", workers: int = 0) -> Iterator[Session]:
    """A controller, until the block ends. Raises `InvalidInput`, `UnknownName` (an empty limit), `JournalLocked`."""
    chosen = settings.read(config)
    settings.make_private(chosen.state)
    with _loaded(chosen, limit, workers) as fleet, owned(chosen.journal, command) as journal:
        yield Session(chosen, fleet, journal, Store(chosen.store))


@contextmanager
def looking(config: Path, *, limit: str = "", workers: int = 0) -> "Iterator[NornirFleet]":
    """The fleet, for verbs that change nothing: the journal stays free."""
    with _loaded(settings.read(config), limit, workers) as fleet:
        yield fleet


@contextmanager
def reading(config: Path) -> Iterator[Journal]:
    """The journal, to be read, whoever owns it."""
    chosen = settings.read(config)
    settings.make_private(chosen.state)
    journal = Journal(chosen.journal)
    try:
        yield journal
    finally:
        journal.close()


def gather_all(
    fleet: "NornirFleet", databases: Mapping[str, Sequence[str]] | None = None, names: Sequence[str] | None = None
) -> dict[str, HostFacts]:
    """The facts of the hosts `names`, or of all of the fleet, by name; `databases` names those whose content counts, by host.

    Raises as `ask_all`.
    """
    wanted = databases or {}
    hosts = fleet.names if names is None else names
    return ask_all(fleet, hosts, lambda host: gather(host, wanted.get(host.name, ())))


def databases_of(fleet: "NornirFleet") -> dict[str, tuple[str, ...]]:
    """The databases that the inventory names (`databases` among a host's data), by host. Raises `InvalidInput`."""
    found = {}
    for host in fleet.hosts:
        names = host.data.get("databases") or ()
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise InvalidInput(f"host {host.name}: databases must be a list of names, not {names!r}")
        found[host.name] = tuple(names)
    return found


def databases_before(plan: Plan, fleet: "NornirFleet") -> dict[str, tuple[str, ...]]:
    """The databases whose content belongs to the snapshot before `plan`, by host: the inventory's, and those that it dumps."""
    found = {host: dict.fromkeys(names) for host, names in databases_of(fleet).items()}
    for _, host, step in plan.steps():
        if isinstance(step, DumpDatabase):
            found.setdefault(host, {})[step.database] = None
    return {host: tuple(names) for host, names in found.items()}


def ask_all(fleet: Fleet, names: Sequence[str], question: Callable[[Host], T]) -> dict[str, T]:
    """What each named host answers to `question`, which changes nothing there.

    Raises as `refuse_lost`; else the failures of the hosts that failed as the first one did.
    """
    found, lost = ask_each(fleet, names, question)
    refuse_lost(lost)
    return found


def ask_each(
    fleet: Fleet, names: Sequence[str], question: Callable[[Host], T]
) -> tuple[dict[str, T], dict[str, Failure]]:
    """What each named host answers to `question`, and the failures of those that are not reached or that say what cannot be read.

    A disk that is full counts as that. Raises any other failure, with what each host says that failed in the same.
    """
    found: dict[str, T] = {}
    lost: dict[str, Failure] = {}
    others: list[Exception] = []
    for name, answer in (fleet.each(names, question) if names else {}).items():
        if isinstance(answer, Unreachable | HostUnreadable | DiskFull):
            lost[name] = answer
        elif isinstance(answer, Exception):
            others.append(answer)
        else:
            found[name] = answer
    if others and not lost:
        raise _together(others)
    return found, lost


def _together(failures: Sequence[Exception]) -> Exception:
    """The first of them, which says what all of its kind say: no host's failure hides another's."""
    first = failures[0]
    if isinstance(first, Failure):
        alike = [one.message for one in failures if isinstance(one, Failure) and type(one) is type(first)]
        first.message = "\n".join(dict.fromkeys(alike))
    return first


def refuse_lost(lost: Mapping[str, Failure]) -> None:
    """Returns where `lost` is empty. Raises `Unreachable` naming all of these hosts where one was not reached, else `Blocked`."""
    if not lost:
        return
    unreached = [name for name, failure in lost.items() if isinstance(failure, Unreachable)]
    unread = [name for name in lost if name not in unreached]
    remedies = dict.fromkeys(failure.hint for failure in lost.values() if failure.hint)
    kinds = (("not reached", unreached), ("not read", unread))
    named = "; ".join(f"{word}: {', '.join(names)}" for word, names in kinds if names)
    raise (Unreachable if unreached else Blocked)(
        "nothing was changed: " + "\n".join(failure.message for failure in lost.values()),
        hint="\n  ".join([*remedies, f"{named}; see to them, or leave them out with --limit"]),
    )


def keep_snapshot(journal: Journal, facts: Mapping[str, HostFacts], run: Run) -> None:
    """Afterwards the facts are the snapshot before `run`: a JSON list of HostFacts, sorted by host."""
    journal.keep_snapshot(codec.dumps(tuple(facts[name] for name in sorted(facts))), run=run.id)


def refuse_unfinished(journal: Journal, config: Path) -> None:
    """Raises `UnfinishedRun`, naming the ways out, while a run stands open."""
    runs = journal.runs()
    if not (open_runs := unfinished(runs)):
        return
    run = open_runs[-1]
    ways = ways_out(run, config, runs)
    commands = [f"go on with:  {ways.go_on}"] * bool(ways.go_on) + [f"go back with: {ways.go_back}"] * bool(
        ways.go_back
    )
    raise UnfinishedRun(f"run {run.id} ({run.plan.origin}) is unfinished, and in the way", hint="\n  ".join(commands))


def concerned(plan: Plan) -> tuple[str, ...]:
    """The hosts that `plan` touches, or that its gates look at."""
    gated = (one.host for wave in plan.waves for one in wave.gates)
    return tuple(dict.fromkeys((*plan.hosts, *gated)))


def refuse_strangers(plan: Plan, names: Collection[str]) -> None:
    """Raises `UnknownName` where the plan is about a host that the inventory does not hold."""
    for wave in plan.waves:
        if strangers := sorted(wave.concerned.difference(names)):
            raise UnknownName("host", strangers[0], sorted(names))


def refuse_unknown(config: Path, consent: Sequence[str], limit: str = "") -> None:
    """Raises `UnknownName` where somebody consents for a host that the inventory does not hold, or where `limit` means none."""
    if not consent and not limit:
        return
    with looking(config, limit=limit) as fleet:
        known = [host.name for host in fleet.inventory]
    for name in consent:
        if name not in known:
            raise UnknownName("host", name, known)


def refuse_drift(plan: Plan, facts: Mapping[str, HostFacts]) -> None:
    """Raises `Drift` naming every host, of those that there are facts of, that changed since the plan was made."""
    assumed: dict[str, str] = {}
    for wave in plan.waves:
        for work in wave.work:
            assumed.setdefault(work.host, work.assumes)
    drifted = [
        name
        for name, digest in assumed.items()
        if digest and name in facts and digest != digest_of_packages(facts[name].packages)
    ]
    if drifted:
        raise Drift(
            f"the packages are not what they were when the plan was made on: {', '.join(drifted)}",
            hint="nothing was changed; look at what changed there, and plan again",
        )


def refuse_irreversible(plan: Plan, consent: frozenset[str]) -> None:
    """Raises `Irreversible` naming every point of no return of `plan` that `consent` (hosts) does not cover."""
    ahead = [point for point in plan.points_of_no_return if point[0] not in consent]
    if ahead:
        hosts = dict.fromkeys(host for host, _, _ in ahead)
        raise Irreversible(
            "\n".join(f"{host}: {step} cannot be undone: {reason}" for host, step, reason in ahead),
            hint="consent with " + " ".join(f"--accept-no-way-back {host}" for host in hosts),
        )


@contextmanager
def _loaded(chosen: Settings, limit: str, workers: int) -> "Iterator[NornirFleet]":
    from nornir_upgrade.core.inventory.fleet import load

    fleet = load(chosen.config, limit, workers or chosen.workers)
    try:
        yield fleet
    finally:
        fleet.close()

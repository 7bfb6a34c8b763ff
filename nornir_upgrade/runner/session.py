"""Session: fleet, journal and store of one controller; the questions to all hosts; and the refusals before a run starts."""

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
from nornir_upgrade.report.summary import next_commands, unfinished
from nornir_upgrade.steps import registry as registry
from nornir_upgrade.steps.databases import DumpDatabase

if TYPE_CHECKING:  # nornir and netmiko take longer to import than most verbs need to run
    from nornir_upgrade.core.inventory.fleet import NornirFleet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """All that a verb needs to change hosts. This process owns `journal`."""

    settings: Settings
    fleet: "NornirFleet"
    journal: Journal
    store: Store


@contextmanager
def open_session(config: Path, command: str, *, limit: str = "", workers: int = 0) -> Iterator[Session]:
    """A session, until the block ends. Raises `InvalidInput`, `UnknownName` (an empty limit), `JournalLocked`."""
    chosen = settings.read(config)
    settings.make_private(chosen.state)
    with _loaded(chosen, limit, workers) as fleet, owned(chosen.journal, command) as journal:
        yield Session(chosen, fleet, journal, Store(chosen.store))


@contextmanager
def open_fleet(config: Path, *, limit: str = "", workers: int = 0) -> "Iterator[NornirFleet]":
    """The fleet, for verbs that change nothing. The journal is not locked."""
    with _loaded(settings.read(config), limit, workers) as fleet:
        yield fleet


@contextmanager
def open_journal(config: Path) -> Iterator[Journal]:
    """The journal for reading. Another process may own it."""
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
    """The facts of the hosts `names` (None: the whole fleet), by name. `databases`: by host, those whose content is a fact.

    Raises as `ask_all`.
    """
    hosts = fleet.names if names is None else names
    return ask_all(fleet, hosts, lambda host: gather(host, (databases or {}).get(host.name, ())))


def databases_of(fleet: "NornirFleet") -> dict[str, tuple[str, ...]]:
    """The databases in the inventory (key `databases` of a host's data), by host. Raises `InvalidInput`."""
    databases = {}
    for host in fleet.hosts:
        names = host.data.get("databases") or ()
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise InvalidInput(f"host {host.name}: databases must be a list of names, not {names!r}")
        databases[host.name] = tuple(names)
    return databases


def databases_before(plan: Plan, fleet: "NornirFleet") -> dict[str, tuple[str, ...]]:
    """The databases whose content belongs to the snapshot before `plan`, by host: those of the inventory, and those dumped."""
    databases = {host: dict.fromkeys(names) for host, names in databases_of(fleet).items()}
    for _, host, step in plan.steps():
        if isinstance(step, DumpDatabase):
            databases.setdefault(host, {})[step.database] = None
    return {host: tuple(names) for host, names in databases.items()}


def ask_all(fleet: Fleet, names: Sequence[str], question: Callable[[Host], T]) -> dict[str, T]:
    """The answer of each host in `names` to `question`, which changes nothing there. Raises as `refuse_lost` and `ask_each`."""
    answers, lost = ask_each(fleet, names, question)
    refuse_lost(lost)
    return answers


def ask_each(
    fleet: Fleet, names: Sequence[str], question: Callable[[Host], T]
) -> tuple[dict[str, T], dict[str, Failure]]:
    """The answers to `question` of the hosts in `names`, and the failures of lost hosts.

    A host is lost if it cannot be reached, if its answer cannot be read, or if its disk is full.
    If none is lost, raises the first other failure, with the messages of all hosts that failed in the same way.
    """
    answers: dict[str, T] = {}
    lost: dict[str, Failure] = {}
    others: list[Exception] = []
    for name, answer in (fleet.each(names, question) if names else {}).items():
        if isinstance(answer, Unreachable | HostUnreadable | DiskFull):
            lost[name] = answer
        elif isinstance(answer, Exception):
            others.append(answer)
        else:
            answers[name] = answer
    if others and not lost:
        raise _joined(others)
    return answers, lost


def _joined(failures: Sequence[Exception]) -> Exception:
    """The first failure, with the messages of all failures of its type: no host's failure hides another's."""
    first = failures[0]
    if isinstance(first, Failure):
        messages = [
            failure.message for failure in failures if isinstance(failure, Failure) and type(failure) is type(first)
        ]
        first.message = "\n".join(dict.fromkeys(messages))
    return first


def refuse_lost(lost: Mapping[str, Failure]) -> None:
    """Raises a failure naming all hosts in `lost`: `Unreachable` if one was not reached, else `Blocked`."""
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
    """Afterwards the journal holds `facts` as the snapshot before `run`: a JSON list of HostFacts, sorted by host."""
    journal.keep_snapshot(codec.dumps(tuple(facts[name] for name in sorted(facts))), run=run.id)


def refuse_unfinished(journal: Journal, config: Path) -> None:
    """Raises `UnfinishedRun`, with the next commands, while a run is open."""
    runs = journal.runs()
    if not (open_runs := unfinished(runs)):
        return
    run = open_runs[-1]
    commands = next_commands(run, config, runs)
    lines = [f"go on with:  {commands.go_on}"] if commands.go_on else []
    lines += [f"go back with: {commands.go_back}"] if commands.go_back else []
    raise UnfinishedRun(f"run {run.id} ({run.plan.origin}) is unfinished, and in the way", hint="\n  ".join(lines))


def concerned_hosts(plan: Plan) -> tuple[str, ...]:
    """The hosts of the steps and gates of `plan`."""
    gated = (work.host for wave in plan.waves for work in wave.gates)
    return tuple(dict.fromkeys((*plan.hosts, *gated)))


def refuse_unknown_hosts(plan: Plan, names: Collection[str]) -> None:
    """Raises `UnknownName` for a host of `plan` that is not in `names`, those of the inventory."""
    for wave in plan.waves:
        if unknown := sorted(wave.concerned.difference(names)):
            raise UnknownName("host", unknown[0], sorted(names))


def refuse_unknown_names(config: Path, consent: Sequence[str], limit: str = "") -> None:
    """Raises `UnknownName` for a host in `consent` that the inventory lacks, and for a `limit` that selects no host."""
    if not consent and not limit:
        return
    with open_fleet(config, limit=limit) as fleet:
        known = [host.name for host in fleet.inventory]
    for name in consent:
        if name not in known:
            raise UnknownName("host", name, known)


def refuse_drift(plan: Plan, facts: Mapping[str, HostFacts]) -> None:
    """Raises `Drift` naming every host in `facts` whose packages have changed since the plan was made."""
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
    """Raises `Irreversible` naming every point of no return of `plan` on a host that is not in `consent`."""
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

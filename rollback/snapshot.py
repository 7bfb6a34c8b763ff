"""Snapshots: the facts of a fleet at a moment, stored in the journal; listed, found by name, and compared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import InvalidInput, UnknownName
from nornir_upgrade.core.facts.compare import Difference, compare
from nornir_upgrade.core.facts.gather import Database, HostFacts
from nornir_upgrade.core.journal import Journal, pick
from nornir_upgrade.core.run import Run


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was true of each host at `taken_at` (the last host's moment, UTC, ISO 8601).

    `run` is the run that it was taken before, '' for a manual snapshot.
    """

    id: str
    label: str
    taken_at: str
    run: str
    hosts: tuple[HostFacts, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts' names, in the order in which they were recorded."""
        return tuple(facts.host for facts in self.hosts)

    def of(self, host: str) -> HostFacts:
        """What was true of `host`. Raises `UnknownName` where it was not recorded."""
        for facts in self.hosts:
            if facts.host == host:
                return facts
        raise UnknownName(f"host in snapshot {self.id}", host, self.names)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A host in a snapshot: when its facts were taken, its databases, and the digest of the picture of its files, if any."""

    host: str
    taken_at: str
    databases: tuple[Database, ...] = ()
    picture: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """A snapshot as a list shows it: as `Snapshot`, without the packages of its hosts, so that they need not be decoded."""

    id: str
    label: str
    taken_at: str
    run: str
    hosts: tuple[Recorded, ...]


def keep(journal: Journal, hosts: Sequence[HostFacts], *, run: str = "", label: str = "") -> Snapshot:
    """Afterwards `hosts` are a snapshot in the journal; returns it."""
    facts = tuple(sorted(hosts, key=lambda host: host.host))
    name = journal.keep_snapshot(codec.dumps(facts), run=run, label=label)
    return Snapshot(name, label, _moment(facts), run, facts)


def entries(journal: Journal) -> tuple[SnapshotEntry, ...]:
    """All snapshots, oldest first. Raises `InvalidInput` if one cannot be read, `DigestMismatch` if one is damaged."""
    snapshots = []
    for name, run, label, document in journal.snapshot_rows():
        hosts = codec.skim(document, tuple[Recorded, ...], source=f"snapshot {name}")
        snapshots.append(SnapshotEntry(name, label, _moment(hosts), run, hosts))
    return tuple(snapshots)


def find(journal: Journal, name: str) -> Snapshot:
    """The snapshot called `name`: an id, an unambiguous beginning of an id, `last`, `last-N`, a label (the latest with that label),
    or a run's id (the state before the run).

    Raises `UnknownName`, which lists the snapshots.
    """
    heads = [row[:3] for row in journal.snapshot_rows()]
    called = [snapshot_id for snapshot_id, *names in heads if name and name in names]
    try:
        return read(
            journal, called[-1] if called else pick("snapshot", name, [snapshot_id for snapshot_id, _, _ in heads])
        )
    except UnknownName:
        known = [f"{snapshot_id} ({label})" if label else snapshot_id for snapshot_id, _, label in heads]
        raise UnknownName("snapshot", name, known) from None


def read(journal: Journal, name: str) -> Snapshot:
    """The snapshot with the id `name`, which must exist. Raises `InvalidInput` if another version wrote it."""
    _, run, label, document = journal.snapshot_row(name)
    hosts = codec.loads(document, tuple[HostFacts, ...], source=f"snapshot {name}")
    return Snapshot(name, label, _moment(hosts), run, hosts)


def before_run(journal: Journal, name: str) -> Snapshot:
    """The snapshot taken before the run called `name`; for a way back, the snapshot that it leads to.

    So `last` still means the last forward run after a way back from it was interrupted.
    """
    run = journal.run(name)
    taken = {of: snapshot_id for snapshot_id, of, *_ in journal.snapshot_rows()}
    while run.id not in taken:
        if run.plan.direction == "rollback":
            return find(journal, run.plan.origin)
        if not run.parent:
            raise InvalidInput(
                f"no snapshot was taken before run {run.id}",
                hint="choose one with --snapshot; `rollback snapshots` lists them",
            )
        run = journal.run(run.parent)
    return read(journal, taken[run.id])


def runs_since(journal: Journal, snapshot: Snapshot) -> tuple[Run, ...]:
    """The runs that may have changed what `snapshot` recorded, oldest first: its own run and all later ones."""
    runs = journal.runs()
    for number, run in enumerate(runs):
        if run.id == snapshot.run:
            return runs[number:]
    taken = datetime.fromisoformat(snapshot.taken_at)
    return tuple(run for run in runs if run.events and datetime.fromisoformat(run.events[0].at) >= taken)


def diff(then: Mapping[str, HostFacts], now: Mapping[str, HostFacts]) -> tuple[Difference, ...]:
    """The differences from `then` to `now`, host by host, on the hosts that both know."""
    return tuple(
        difference for host in sorted(then.keys() & now.keys()) for difference in compare(then[host], now[host])
    )


def _moment(hosts: Iterable[HostFacts | Recorded]) -> str:
    return max((host.taken_at for host in hosts), default="")

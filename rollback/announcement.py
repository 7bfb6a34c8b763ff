"""Announced: what a way back leads to. The store keeps it before the way back begins, and whoever goes on with it compares with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core import codec
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.store import Store
from nornir_upgrade.steps.databases import RestoreDatabase
from rollback.foreign.changes import Others
from rollback.plan.retained import Theirs

from .assess import Survey
from .snapshot import Snapshot
from .verify import Proof, prove


@dataclass(frozen=True, slots=True)
class Announced:
    """The measure of a way back on `hosts`. `databases`: they are restored, too. `whole`: all packages go back.

    `foretold` holds the hosts that will not be as in the snapshot; `others` and `theirs` are as `prove` has them.
    """

    hosts: tuple[str, ...]
    databases: bool
    whole: bool
    foretold: Mapping[str, HostFacts] = field(default_factory=dict)
    others: Mapping[str, Others] = field(default_factory=dict)
    theirs: Mapping[str, Theirs] = field(default_factory=dict)

    def proof(self, snapshot: Snapshot, now: Mapping[str, HostFacts]) -> Proof:
        """`now` compared with what was announced of a way back to `snapshot`."""
        then = {host: snapshot.of(host) for host in now}
        return prove(
            then,
            now,
            databases=self.databases,
            foretold=then | dict(self.foretold),
            others=self.others,
            theirs=self.theirs,
        )


def announced(found: Survey, *, restore_db: bool) -> Announced:
    """What is told of the way back that `found` leads to."""
    then = found.then
    return Announced(
        tuple(found.now),
        restore_db,
        not found.partial,
        {host: facts for host, facts in found.foretold.items() if facts != then[host]},
        found.others,
        found.theirs,
    )


def keep(store: Store, told: Announced) -> str:
    """Afterwards `told` is in the store; returns its digest, which an event `announced` gives to the run."""
    return store.put(codec.dumps(told).encode())


def kept(store: Store, run: Run, snapshot: Snapshot) -> Announced:
    """What was told of `run`, a way back to `snapshot`; of one of an older version, or whose object is gone, the snapshot itself.

    Raises `DigestMismatch` where it is damaged.
    """
    if run.announced and run.announced in store:
        return codec.loads(store.get(run.announced), Announced, source=f"what run {run.id} leads to")
    databases = any(isinstance(step, RestoreDatabase) for _, _, step in run.plan.steps())
    return Announced(tuple(host for host in run.plan.hosts if host in snapshot.names), databases, whole=False)

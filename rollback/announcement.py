"""Announcements: what a way back leads to. It is stored before the way back begins; the hosts are compared with it afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core import codec
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.store import Store
from nornir_upgrade.steps.databases import RestoreDatabase
from rollback.foreign.changes import Others
from rollback.plan.retained import Theirs

from .assess import Assessment
from .snapshot import Snapshot
from .verify import Verification, verify


@dataclass(frozen=True, slots=True)
class Announced:
    """What a way back on `hosts` is measured by. `databases`: they are restored too. `whole`: all packages are taken back.

    `foretold` holds the facts of each host that will differ from the snapshot; `others` and `theirs` are as for `verify`.
    """

    hosts: tuple[str, ...]
    databases: bool
    whole: bool
    foretold: Mapping[str, HostFacts] = field(default_factory=dict)
    others: Mapping[str, Others] = field(default_factory=dict)
    theirs: Mapping[str, Theirs] = field(default_factory=dict)

    def verify(self, snapshot: Snapshot, now: Mapping[str, HostFacts]) -> Verification:
        """`now`, compared with what was announced for a way back to `snapshot`."""
        then = {host: snapshot.of(host) for host in now}
        return verify(
            then,
            now,
            databases=self.databases,
            foretold=then | dict(self.foretold),
            others=self.others,
            theirs=self.theirs,
        )


def announced(assessment: Assessment, *, restore_db: bool) -> Announced:
    """The announcement of the way back that `assessment` leads to."""
    then = assessment.then
    return Announced(
        tuple(assessment.now),
        restore_db,
        not assessment.partial,
        {host: facts for host, facts in assessment.foretold.items() if facts != then[host]},
        assessment.others,
        assessment.theirs,
    )


def keep(store: Store, announcement: Announced) -> str:
    """Afterwards `announcement` is in the store; returns its digest. An event `announced` adds the digest to the run."""
    return store.put(codec.dumps(announcement).encode())


def kept(store: Store, run: Run, snapshot: Snapshot) -> Announced:
    """The announcement of `run`, a way back to `snapshot`. If it has none (older versions) or the store lost it: the snapshot itself.

    Raises `DigestMismatch` if the stored announcement is damaged.
    """
    if run.announced and run.announced in store:
        return codec.loads(store.get(run.announced), Announced, source=f"what run {run.id} leads to")
    databases = any(isinstance(step, RestoreDatabase) for _, _, step in run.plan.steps())
    return Announced(tuple(host for host in run.plan.hosts if host in snapshot.names), databases, whole=False)

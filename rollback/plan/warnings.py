"""Warnings: what a person must know before agreeing to a way back, such as data that is lost. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.state import RestoreState
from rollback.foreign import marks
from rollback.foreign.changes import Others, others
from rollback.manifest.model import Manifest
from rollback.snapshot import Snapshot

from .scope import Scope, scope
from .undo_log import migrated, trail

_SHOWN = 10  # paths that a sentence names


def cautions(
    snapshot: Snapshot,
    now: Mapping[str, HostFacts],
    runs: Sequence[Run],
    manifests: Mapping[str, Manifest],
    *,
    restore_db: bool,
) -> tuple[str, ...]:
    """One sentence for each thing to know before agreeing to the plan: data that is lost, schemas that stay new, edits of others."""
    about = {host: scope(manifests[host], snapshot.of(host), facts) for host, facts in now.items()}
    captured = {
        (name, restore.database)
        for name in now
        for restore in about[name].trail(trail(runs, name, consent=frozenset(now))).databases
    }
    sentences = list(_of_restores(captured) if restore_db else _of_migrations(runs, about))
    sentences += _of_unasked(runs, about)
    for host, facts in now.items():
        if about[host].whole:
            sentences += marks.cautions(manifests[host], snapshot.of(host), facts)
            sentences += _of_others(host, others(*_state(runs, host), facts))
        changed = _changed(snapshot.of(host), facts, about[host])
        lost = [name for name in changed if (host, name) not in captured]
        sentences += [f"{host}: database {name} has changed, and no run since the snapshot dumped it" for name in lost]
    return tuple(sentences)


def _of_restores(captured: Collection[tuple[str, str]]) -> Iterator[str]:
    for host, name in sorted(captured):
        yield f"{host}: data written to database {name} since its dump are removed from it (and kept in the store)"


def _of_migrations(runs: Sequence[Run], about: Mapping[str, Scope]) -> Iterator[str]:
    for host, name in migrated(runs):
        if host in about and about[host].names(name):
            yield (
                f"{host}: database {name} was migrated, and stays so without --restore-db: "
                "services of the old release may refuse its schema"
            )


def _of_unasked(runs: Sequence[Run], about: Mapping[str, Scope]) -> Iterator[str]:
    for host, name in migrated(runs):
        if host in about and not about[host].names(name):
            yield f"{host}: database {name} was migrated, and stays so: no pattern of --only is for it"


def _changed(then: HostFacts, now: HostFacts, about: Scope) -> list[str]:
    """The databases that the way back is about, and whose contents differ from the snapshot's."""
    before = {database.name: database.digest for database in then.databases}
    return [
        database.name
        for database in now.databases
        if before.get(database.name, database.digest) != database.digest and about.names(database.name)
    ]


def _state(runs: Sequence[Run], host: str) -> tuple[RestoreState | None, frozenset[str] | None, tuple[FileState, ...]]:
    changes = trail(runs, host, consent=frozenset({host}))
    return changes.state, changes.changed, changes.left


def _of_others(host: str, changes: Others) -> Iterator[str]:
    """One sentence for each kind of change by others: none is reverted silently."""
    kept = f"the present state is kept in the store, as `state of {host} before the way back`"
    if changes.unknown:
        yield f"{host}: a run did not complete: all of /etc and of the registries is restored, whoever changed it; {kept}"
    if changes.returns:
        yield f"{host}: changed by the run, and since then by others, is restored: {_listed(changes.returns)}; {kept}"
    if changes.stays:
        yield f"{host}: changed since the run, by others, stays as it is: {_listed(changes.stays)}"
    if changes.merged:
        yield f"{host}: what others added since the run to {_listed(changes.merged)} stays there"


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more

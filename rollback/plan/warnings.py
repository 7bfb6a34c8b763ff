"""What a person must know before agreeing to a way back: data that is lost, schemas that stay new. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.steps.state import RestoreState
from rollback.foreign.changes import Others, others
from rollback.foreign.marks import told
from rollback.manifest.model import Manifest
from rollback.snapshot import Snapshot

from .scope import scope
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
    """What a person must know before agreeing to the plan, a sentence each: data that is lost, schemas that stay new."""
    found = []
    about = {host: scope(manifests[host], snapshot.of(host), facts) for host, facts in now.items()}
    captured = {
        (name, one.database)
        for name in now
        for one in about[name].trail(trail(runs, name, consent=frozenset(now))).databases
    }
    if restore_db:
        found += [
            f"{host}: what was written to database {name} since its dump is taken out of it (and kept in the store)"
            for host, name in sorted(captured)
        ]
    else:
        found += [
            f"{host}: database {name} was migrated, and stays so without --restore-db: "
            "services of the old release may refuse its schema"
            for host, name in migrated(runs)
            if host in now and about[host].names(name)
        ]
    found += [
        f"{host}: database {name} was migrated, and stays so: no pattern of --only is for it"
        for host, name in migrated(runs)
        if host in now and not about[host].names(name)
    ]
    for host, facts in now.items():
        before = {one.name: one.digest for one in snapshot.of(host).databases}
        changed = [
            d.name for d in facts.databases if before.get(d.name, d.digest) != d.digest and about[host].names(d.name)
        ]
        if about[host].whole:
            found += told(manifests[host], snapshot.of(host), facts)
            found += _of_others(host, others(*_state(runs, host), facts))
        lost = [name for name in changed if (host, name) not in captured]
        found += [f"{host}: database {name} has changed, and no run since the snapshot dumped it" for name in lost]
    return tuple(found)


def _state(runs: Sequence[Run], host: str) -> tuple[RestoreState | None, frozenset[str] | None, tuple[FileState, ...]]:
    found = trail(runs, host, consent=frozenset({host}))
    return found.state, found.made, found.left


def _of_others(host: str, found: Others) -> Iterator[str]:
    """What others changed since is never reverted without a word."""
    kept = f"what is there now is kept in the store, as `state of {host} before the way back`"
    if found.unknown:
        yield f"{host}: a run did not come to its end: all of /etc and of the registries goes back, whoever changed it; {kept}"
    if found.returns:
        yield f"{host}: changed by the run, and since then by others, goes back: {_listed(found.returns)}; {kept}"
    if found.stays:
        yield f"{host}: changed since the run, by others, stays as it is: {_listed(found.stays)}"
    if found.merged:
        yield f"{host}: what others added since the run to {_listed(found.merged)} stays there"


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more

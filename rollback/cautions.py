"""What a person must know before agreeing to a way back: data that is lost, schemas that stay new. Pure."""

from collections.abc import Mapping, Sequence

from nornir_upgrade.core.facts import HostFacts
from nornir_upgrade.core.run import Run

from .resolve import Manifest
from .scope import scope
from .snapshot import Snapshot
from .trail import migrated, trail


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
        lost = [name for name in changed if (host, name) not in captured]
        found += [f"{host}: database {name} has changed, and no run since the snapshot dumped it" for name in lost]
    return tuple(found)

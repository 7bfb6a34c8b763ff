"""Assessments: a snapshot, the runs since, every host as it is now, and the manifest that leads each host back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nornir_upgrade.console.text import moment
from nornir_upgrade.core.errors import Failure, InvalidInput
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.escrow.fleet_copies import heads
from nornir_upgrade.core.facts.belongings import belongings
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Fleet, Host
from nornir_upgrade.runner.session import ask_all, ask_each, refuse_lost
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.repositories import SetRepository
from rollback.catalog.catalogs import stock
from rollback.catalog.escrow import candidates, due, elsewhere
from rollback.catalog.host_query import Wanted
from rollback.catalog.indexes import Shelf
from rollback.foreign.changes import Others, others
from rollback.foreign.marks import marked
from rollback.foreign.removal import Estate, Parting, parted, strangers
from rollback.manifest.model import Manifest
from rollback.packaging.candidate import Catalog, catalog
from rollback.plan.expected import foretell
from rollback.plan.retained import Theirs, theirs
from rollback.plan.undo_log import trail
from rollback.solver.exact import exact
from rollback.solver.nearest import Nearest
from rollback.solver.pool import Progress, SolverQuestion, silent, solve_all

from .snapshot import Snapshot, entries, runs_since

if TYPE_CHECKING:  # nornir takes long to import
    from nornir_upgrade.core.inventory.fleet import FleetHost

KEEP = Nearest()
NOTHING_ASKED = Parting()
_NOTHING = catalog(())


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that `plan_rollback` needs. `runs`: those since the snapshot, oldest first. `now`, `manifests`: by host. `estates`: by host,
    what belongs to packages that were added since the snapshot.
    """

    snapshot: Snapshot
    runs: tuple[Run, ...]
    now: Mapping[str, HostFacts]
    manifests: Mapping[str, Manifest]
    estates: Mapping[str, Estate] = field(default_factory=dict)

    @property
    def then(self) -> dict[str, HostFacts]:
        """The facts of these hosts in the snapshot."""
        return {host: self.snapshot.of(host) for host in self.now}

    @property
    def partial(self) -> bool:
        """Whether only some packages are taken back, so that no run is undone by it."""
        return any("only" in manifest.to for manifest in self.manifests.values())

    @property
    def others(self) -> dict[str, Others]:
        """What others changed on these hosts beside packages, since the runs ended."""
        trails = {host: trail(self.runs, host, consent=frozenset(self.now)) for host in self.now}
        return {host: others(undo.state, undo.changed, undo.left, self.now[host]) for host, undo in trails.items()}

    @property
    def theirs(self) -> dict[str, Theirs]:
        """What belongs to packages that are kept on these hosts though the snapshot does not have them."""
        return {host: theirs(self.manifests[host], self.snapshot.of(host), now) for host, now in self.now.items()}

    @property
    def foretold(self) -> dict[str, HostFacts]:
        """The facts of these hosts after their manifests are carried out."""
        return {host: foretell(self.snapshot.of(host), now, self.manifests[host]) for host, now in self.now.items()}


def assess(
    fleet: Fleet,
    names: Sequence[str],
    journal: Journal,
    store: Store,
    snapshot: Snapshot,
    *,
    solver: Nearest = KEEP,
    asked: Parting = NOTHING_ASKED,
    progress: Progress = silent,
) -> Assessment:
    """The assessment of those of `names` that the snapshot knows. Changes nothing on any host. `progress` counts the manifests that
    are computed. `asked`: what becomes of packages that were added since the snapshot.

    Each host is asked in two round trips: for its facts; and, if its packages changed, for the indexes of its repositories, the old
    ones included. Indexes are fetched once for all hosts. If packages were added, two more round trips ask what belongs to them.
    Hosts in `names` that hold the only copy of an old version are asked for it. Raises `InvalidInput` if the snapshot knows none of
    `names`, `Unreachable` naming every unreachable host.
    """
    runs = runs_since(journal, snapshot)
    now = state_now(fleet, names, snapshot)
    changed = {host: facts for host, facts in now.items() if snapshot.of(host).packages != facts.packages}
    catalogs = _catalogs(fleet, names, snapshot, runs, store, changed)
    estates = _estates(fleet, snapshot, changed)
    to, since = _goal(snapshot, solver), moment(snapshot.taken_at)
    questions = {
        host: SolverQuestion(
            snapshot.of(host),
            now[host],
            catalogs[host],
            to,
            strangers(snapshot.of(host), now[host], runs, estates[host], asked, since),
        )
        for host in catalogs
    }
    solved = solve_all(solver, questions, progress=progress)
    manifests = {host: solved.get(host) or exact(snapshot.of(host), facts, _NOTHING, to) for host, facts in now.items()}
    manifests |= {host: parted(manifests[host], now[host], estates[host], asked) for host in estates}
    manifests = {host: marked(manifest, now[host], runs) for host, manifest in manifests.items()}
    return Assessment(snapshot, runs, now, manifests, estates)


def _goal(snapshot: Snapshot, solver: Nearest) -> dict[str, str]:
    """Where a manifest leads, as it records it: the snapshot, its run, and the patterns of a partial way back."""
    parts = {"snapshot": snapshot.id, "run": snapshot.run, "only": " ".join(solver.only)}
    return {kind: name for kind, name in parts.items() if name}


def _catalogs(
    fleet: Fleet,
    names: Sequence[str],
    snapshot: Snapshot,
    runs: Sequence[Run],
    store: Store,
    now: Mapping[str, HostFacts],
) -> dict[str, Catalog]:
    """What each host of `now` can install: from its repositories, the old ones included, and from the escrow."""
    escrow, old = Escrow.beside(store), {host: due(snapshot.of(host), facts) for host, facts in now.items()}

    def wanted(host: str) -> Wanted:
        packages = {package.name for facts in (snapshot.of(host), now[host]) for package in facts.packages}
        kept = any(map(escrow.find, old[host]))
        return Wanted(old_sources(runs, host, store), frozenset(packages), now[host].os.manager, kept)

    offered = stock(fleet, {host: wanted(host) for host in now}, Shelf(store.root.parent / "indexes"))
    return _with_kept(fleet, names, escrow, offered, old)


def _estates(fleet: Fleet, snapshot: Snapshot, now: Mapping[str, HostFacts]) -> dict[str, Estate]:
    """What belongs to packages that hosts did not have before: their data must not be lost with them. Raises as `ask_all`."""
    new = {host: _newcomers(snapshot.of(host), facts) for host, facts in now.items()}

    def ask(host: Host) -> Estate:
        return belongings(host, now[host.name].os.manager, new[host.name])

    estates: dict[str, Estate] = {host: {} for host in now}
    return estates | ask_all(fleet, [host for host, keys in new.items() if keys], ask)


def _newcomers(then: HostFacts, now: HostFacts) -> frozenset[PackageName]:
    before = {package.key for package in then.packages if package.unpacked}
    left = {package.key for package in then.packages}
    return frozenset(
        package.key for package in now.packages if package.key not in (before if package.unpacked else left)
    )


def state_now(fleet: Fleet, names: Sequence[str], snapshot: Snapshot) -> dict[str, HostFacts]:
    """The facts of those of `names` that the snapshot knows, with the databases that it knows. Raises as `assess`."""
    return facts_of(fleet, known_to(names, snapshot), databases_of(snapshot))


def known_to(names: Sequence[str], snapshot: Snapshot) -> list[str]:
    """Those of `names` that the snapshot knows. Raises `InvalidInput` where it knows none."""
    if known := [name for name in names if name in snapshot.names]:
        return known
    raise InvalidInput(
        f"snapshot {snapshot.id} knows none of the hosts {', '.join(names)}",
        hint=f"it knows: {', '.join(snapshot.names)}",
    )


def databases_of(snapshot: Snapshot) -> dict[str, list[str]]:
    """The databases that the snapshot knows, by host."""
    return {facts.host: [database.name for database in facts.databases] for facts in snapshot.hosts}


def facts_found(
    fleet: Fleet, names: Sequence[str], databases: Mapping[str, Sequence[str]]
) -> tuple[dict[str, HostFacts], dict[str, Failure]]:
    """As `facts_of`, and the failures of hosts that were not reached or whose answers cannot be read. Raises if all hosts failed."""
    facts, lost = ask_each(fleet, names, lambda host: gather(host, databases.get(host.name, ())))
    if not facts:
        refuse_lost(lost)
    return facts, lost


def facts_of(fleet: Fleet, names: Sequence[str], databases: Mapping[str, Sequence[str]]) -> dict[str, HostFacts]:
    """The facts of `names`, each with the contents of its `databases`. Raises `Unreachable`."""
    return ask_all(fleet, names, lambda host: gather(host, databases.get(host.name, ())))


def known_databases(journal: Journal, hosts: "Iterable[FleetHost]") -> dict[str, list[str]]:
    """The databases that the inventory names (`databases` in a host's data), earlier snapshots recorded or runs dumped, by host."""
    known = [(host.name, name) for host in hosts for name in host.data.get("databases", ())]
    known += [
        (host.host, database.name) for entry in entries(journal) for host in entry.hosts for database in host.databases
    ]
    for run in journal.runs():
        known += [(host, step.database) for _, host, step in run.plan.steps() if isinstance(step, DumpDatabase)]
    by_host: dict[str, list[str]] = {}
    for host, name in sorted(set(known)):
        by_host.setdefault(host, []).append(name)
    return by_host


def _with_kept(
    fleet: Fleet,
    names: Sequence[str],
    escrow: Escrow,
    offered: Mapping[str, Catalog],
    old: Mapping[str, frozenset[PackageFile]],
) -> dict[str, Catalog]:
    """The `offered` catalogs, with those `old` files that only the escrow has; each file is read once for all hosts."""
    lost = {
        host: {file for file in old[host] if not offers.find(file.name, file.arch, file.version)}
        for host, offers in offered.items()
    }
    files = set().union(*lost.values())
    remote = heads(fleet, names, escrow, elsewhere(escrow, files))
    had = {
        (candidate.name, candidate.arch, candidate.version): candidate
        for candidate in candidates(escrow, files, remote)
    }
    keys = {host: [(file.name, file.arch, file.version) for file in sorted(files)] for host, files in lost.items()}
    return {
        host: offers.with_more({key: had[key] for key in keys[host] if key in had}) for host, offers in offered.items()
    }


def old_sources(runs: Sequence[Run], host: str, store: Store) -> dict[str, str | None]:
    """The source files that `runs` changed on `host`, as they were before: path -> text, `None` for a file that did not exist."""
    before = trail(runs, host, consent=frozenset({host})).repositories
    return {step.path: _text(step, store) for step in before}


def _text(step: SetRepository, store: Store) -> str | None:
    if step.digest:
        return store.get(step.digest).decode("utf-8", "surrogateescape")
    return step.text

"""What a way back is judged on: the snapshot, the runs since, every host as it is now, and what its packages must do."""

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
    """All that `plan_rollback` needs. `runs` are those since the snapshot, oldest first; `now` and `manifests` by host, and in
    `estates` what is theirs by now, of packages that came since.
    """

    snapshot: Snapshot
    runs: tuple[Run, ...]
    now: Mapping[str, HostFacts]
    manifests: Mapping[str, Manifest]
    estates: Mapping[str, Estate] = field(default_factory=dict)

    @property
    def then(self) -> dict[str, HostFacts]:
        """What the snapshot says of the hosts that are looked at."""
        return {host: self.snapshot.of(host) for host in self.now}

    @property
    def partial(self) -> bool:
        """Whether only some packages are to go back, so that no run is undone by it."""
        return any("only" in manifest.to for manifest in self.manifests.values())

    @property
    def others(self) -> dict[str, Others]:
        """What others changed on these hosts beside packages, since the runs left them."""
        found = {host: trail(self.runs, host, consent=frozenset(self.now)) for host in self.now}
        return {host: others(one.state, one.made, one.left, self.now[host]) for host, one in found.items()}

    @property
    def theirs(self) -> dict[str, Theirs]:
        """What is of packages that stay on these hosts though the snapshot does not have them."""
        return {host: theirs(self.manifests[host], self.snapshot.of(host), now) for host, now in self.now.items()}

    @property
    def foretold(self) -> dict[str, HostFacts]:
        """What will be true of these hosts when they are where their manifests lead."""
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
    """Look at those of `names` that the snapshot knows, and find each one's manifest, of which `progress` is told. Nothing changes
    anywhere. `asked`: what becomes of packages that came since.

    Two round trips a host: its facts, and, where a package is not as it was, which indexes its repositories have with the old
    ones back; what is in them is fetched once for all hosts. Where packages came since, two more: what is theirs. Of `names` those
    are asked too that alone keep an old version. Raises `InvalidInput` where the snapshot knows none of `names`, `Unreachable`
    naming every host that is.
    """
    runs = runs_since(journal, snapshot)
    now = state_now(fleet, names, snapshot)
    to = {"snapshot": snapshot.id} | ({"run": snapshot.run} if snapshot.run else {})
    to |= {"only": " ".join(solver.only)} if solver.only else {}
    changed = [host for host, facts in now.items() if snapshot.of(host).packages != facts.packages]

    def wanted(host: str) -> Wanted:
        names = {package.name for facts in (snapshot.of(host), now[host]) for package in facts.packages}
        kept = any(map(escrow.find, old[host]))
        return Wanted(old_sources(runs, host, store), frozenset(names), now[host].os.family, kept)

    escrow, old = Escrow.beside(store), {host: due(snapshot.of(host), now[host]) for host in changed}
    offered = stock(fleet, {host: wanted(host) for host in changed}, Shelf(store.root.parent / "indexes"))
    catalogs = _with_kept(fleet, names, escrow, offered, old)
    estates = _estates(fleet, snapshot, {host: now[host] for host in changed})
    since = moment(snapshot.taken_at)
    questions = {
        host: SolverQuestion(
            snapshot.of(host),
            now[host],
            found,
            to,
            strangers(snapshot.of(host), now[host], runs, estates[host], asked, since),
        )
        for host, found in catalogs.items()
    }
    solved = solve_all(solver, questions, progress=progress)
    manifests = {host: solved.get(host) or exact(snapshot.of(host), facts, _NOTHING, to) for host, facts in now.items()}
    manifests |= {host: parted(manifests[host], now[host], estates[host], asked) for host in estates}
    manifests = {host: marked(one, now[host], runs) for host, one in manifests.items()}
    return Assessment(snapshot, runs, now, manifests, estates)


def _estates(fleet: Fleet, snapshot: Snapshot, now: Mapping[str, HostFacts]) -> dict[str, Estate]:
    """What is theirs, of the packages that hosts have and did not have: nobody's data may go with them. Raises as `ask_all`."""
    new = {host: _newcomers(snapshot.of(host), facts) for host, facts in now.items()}

    def ask(host: Host) -> Estate:
        return belongings(host, now[host.name].os.manager, new[host.name])

    found: dict[str, Estate] = {host: {} for host in now}
    return found | ask_all(fleet, [host for host, keys in new.items() if keys], ask)


def _newcomers(then: HostFacts, now: HostFacts) -> frozenset[PackageName]:
    before = {one.key for one in then.packages if one.unpacked}
    left = {one.key for one in then.packages}
    return frozenset(one.key for one in now.packages if one.key not in (before if one.unpacked else left))


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
    """As `facts_of`, and the failures of the hosts that are not reached or say what cannot be read. Raises where it is all of them."""
    found, lost = ask_each(fleet, names, lambda host: gather(host, databases.get(host.name, ())))
    if not found:
        refuse_lost(lost)
    return found, lost


def facts_of(fleet: Fleet, names: Sequence[str], databases: Mapping[str, Sequence[str]]) -> dict[str, HostFacts]:
    """The facts of `names`, each with the contents of its `databases`. Raises `Unreachable`."""
    return ask_all(fleet, names, lambda host: gather(host, databases.get(host.name, ())))


def known_databases(journal: Journal, hosts: "Iterable[FleetHost]") -> dict[str, list[str]]:
    """The databases that the inventory names (`databases` in a host's data), earlier snapshots recorded or runs dumped, by host."""
    found = [(host.name, name) for host in hosts for name in host.data.get("databases", ())]
    found += [(one.host, known.name) for taken in entries(journal) for one in taken.hosts for known in one.databases]
    for run in journal.runs():
        found += [(host, step.database) for _, host, step in run.plan.steps() if isinstance(step, DumpDatabase)]
    by_host: dict[str, list[str]] = {}
    for host, name in sorted(set(found)):
        by_host.setdefault(host, []).append(name)
    return by_host


def _with_kept(
    fleet: Fleet,
    names: Sequence[str],
    escrow: Escrow,
    offered: Mapping[str, Catalog],
    old: Mapping[str, frozenset[PackageFile]],
) -> dict[str, Catalog]:
    """What is `offered`, and of the `old` files what only the escrow has; each is read once for all hosts."""
    lost = {
        host: {file for file in old[host] if not one.find(file.name, file.arch, file.version)}
        for host, one in offered.items()
    }
    files = set().union(*lost.values())
    told = heads(fleet, names, escrow, elsewhere(escrow, files))
    had = {(one.name, one.arch, one.version): one for one in candidates(escrow, files, told)}
    keys = {host: [(file.name, file.arch, file.version) for file in sorted(files)] for host, files in lost.items()}
    return {host: one.with_more({key: had[key] for key in keys[host] if key in had}) for host, one in offered.items()}


def old_sources(runs: Sequence[Run], host: str, store: Store) -> dict[str, str | None]:
    """The source files that `runs` changed on `host`, as they were before: path -> text, `None` for one that was not there."""
    before = trail(runs, host, consent=frozenset({host})).repositories
    return {step.path: _text(step, store) for step in before}


def _text(step: SetRepository, store: Store) -> str | None:
    if step.digest:
        return store.get(step.digest).decode("utf-8", "surrogateescape")
    return step.text

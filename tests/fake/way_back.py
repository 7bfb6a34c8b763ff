"""A fleet of fake hosts that goes forward to icehouse, for proving the way back on it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nornir_upgrade.core.engine import Outcome, Policy, execute
from nornir_upgrade.core.facts.gather import Conffile, Database, HostFacts
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.deb.apt import Apt
from nornir_upgrade.core.packaging.model import PackageWant, digest_of_packages
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.state.entries import Entry, area_of, value_of
from nornir_upgrade.core.state.places import areas_of
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.runner.session import ask_all
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import DumpDatabase
from nornir_upgrade.steps.ini import SetOption
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from nornir_upgrade.steps.services import ServiceWant, SetServices
from nornir_upgrade.steps.state import CaptureState, surveyed
from rollback import assess, snapshot
from rollback.catalog.host_query import Wanted
from rollback.packaging.candidate import Candidate, Catalog, Control, catalog
from rollback.plan.planner import plan_rollback
from rollback.snapshot import Snapshot
from rollback.verify import Verification, verify
from tests.fake import apt, hosts, world
from tests.fake.fleet import FakeFleet, open_fleet
from tests.fake.index import MIGRATIONS, RENAMED, VERSIONS, Offer, Relation, offers
from tests.fake.state import HostState

OLD, NEW = (hosts.SOURCES.format(release=release) for release in ("havana", "icehouse"))
ROOTS = tuple(f"/etc/{name}" for name in ("keystone", "glance", "nova", "quantum", "neutron", "cinder"))
SYNC = tuple(argv for argv, name in MIGRATIONS.items() if argv[0] != "quantum-db-manage")


def state_of(host: Host) -> HostState:
    return host.state  # type: ignore[attr-defined, no-any-return]


def facts_of(host: Host, databases: Sequence[str] = ()) -> HostFacts:
    """All facts of a fake host, in place of `gather`."""
    state = state_of(host)
    conffiles = {path: name for name, package in state.packages.items() for path in package.conffiles}
    present = {path: hashlib.sha256(file.data).hexdigest() for path, file in state.files.items() if file.kind == "file"}
    return replace(
        world.facts_of(state),
        packages=Apt().parse_query(host.run(Apt().query()).text),
        conffiles=tuple(Conffile(path, conffiles[path], present.get(path, "")) for path in sorted(conffiles)),
        databases=tuple(Database(name, _digest(state, name)) for name in sorted(databases)),
        areas=areas_of("deb"),
        entries=tuple(Entry(area_of(one.path), one.path, value_of(one)) for one in surveyed(host)),
    )


def _digest(state: HostState, name: str) -> str:
    found = state.databases.get(name)
    content = [found.schema, found.tables] if found else []
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def offered(host: Host, sources: Mapping[str, str | None], names: Iterable[str]) -> Catalog:
    """What the fake archive has for the host's source files with `sources` in place, as a `Catalog`."""
    present = {path: file.data.decode() for path, file in state_of(host).files.items() if path.startswith("/etc/apt/")}
    lines = "\n".join(text for text in (present | dict(sources)).values() if text).splitlines()
    found = [offers(release) for release in apt.releases_of(lines)]
    wanted = set(names)
    return catalog(
        (
            Candidate(
                one.name, one.arch, one.version, one.release, control=_control(one), labels=(("cloud", one.release),)
            )
            for release in found
            for one in release.values()
            if one.name in wanted
        ),
        dict(_present(host)),
    )


def stock(fleet: FakeFleet, wanted: Mapping[str, Wanted], _shelf: object) -> dict[str, Catalog]:
    """As `rollback.catalog.catalogs.stock`, from the fake archive."""
    return ask_all(fleet, tuple(wanted), lambda host: offered(host, wanted[host.name].sources, wanted[host.name].names))


def _present(host: Host) -> Iterator[tuple[tuple[str, str, str], Control]]:
    for package in Apt().parse_query(host.run(Apt().query()).text):
        known = [release[package.name] for release in map(offers, VERSIONS) if package.name in release]
        fields = [_control(one) for one in known if one.version == package.version]
        yield (package.name, package.arch, package.version), fields[0] if fields else ()


def _control(one: Offer) -> Control:
    written = {
        "Depends": [_written(relation) for relation in one.depends],
        "Breaks": [_written(relation) for relation in one.breaks],
        "Conflicts": [_written(relation) for relation in one.conflicts],
        "Provides": list(one.provides),
    }
    return tuple((field, ", ".join(words)) for field, words in written.items() if words)


def _written(one: Relation) -> str:
    return f"{one.name} ({one.operator} {one.version})" if one.version else one.name


class Site:
    """A controller's directory with its fleet. Opened anew, it is what a new controller finds after the old one died."""

    def __init__(self, directory: Path) -> None:
        self.fleet = open_fleet(directory, workers=0)
        self.journal = Journal(directory / "journal.db")
        self.store = Store(directory / "store")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.fleet.hosts)

    def facts(self) -> dict[str, HostFacts]:
        return {name: facts_of(host, tuple(host.state.databases)) for name, host in self.fleet.hosts.items()}

    def execute(self, run: Run, *, max_fail: int = 1) -> Outcome:
        return execute(
            run,
            self.fleet,
            self.journal,
            self.store,
            Policy(max_fail=max_fail),
            lambda host: digest_of_packages(facts_of(host).packages),
        )

    def go_forward(self) -> Outcome:
        """Snapshot, and the whole way to icehouse."""
        plan = forward(self.fleet)
        run = self.journal.open_run(plan)
        snapshot.keep(self.journal, tuple(self.facts().values()), run=run.id)
        return self.execute(run)

    def survey(self, taken: Snapshot | None = None) -> assess.Assessment:
        return assess.assess(
            self.fleet, self.names, self.journal, self.store, taken or snapshot.before_run(self.journal, "last")
        )

    def go_back(self, *, restore_db: bool = True, taken: Snapshot | None = None) -> Verification:
        """The way back to the snapshot before the last run forward, and what differs afterwards."""
        found = self.survey(taken)
        plan = plan_rollback(found.snapshot, found.now, found.runs, found.manifests, restore_db=restore_db)
        run = self.journal.open_run(plan, parent=found.snapshot.run)
        outcome = self.execute(run, max_fail=0)
        assert outcome.succeeded, outcome.failed
        now = assess.state_now(self.fleet, self.names, found.snapshot)
        return verify(found.then, now, databases=restore_db, others=found.others)


def forward(fleet: FakeFleet) -> Plan:
    """All hosts of `fleet` from havana to icehouse, the control host first."""
    waves = []
    for name, members in (("control", ("ctl1",)), ("network", ("net1",)), ("compute", ("cmp1", "cmp2"))):
        work = tuple(Work(host, _upgrade(fleet.hosts[host].state)) for host in members if host in fleet.hosts)
        waves.append(Wave(name, work))
    noted = (CaptureState("end", ROOTS, end=True),)
    waves.append(Wave("state", tuple(Work(host, noted) for host in fleet.hosts)))
    return Plan("forward", "to icehouse", tuple(waves))


def _upgrade(state: HostState) -> tuple[Step, ...]:
    old = tuple(state.services)
    new = tuple(RENAMED.get(name, name) for name in old)
    configuration = "/etc/nova/nova.conf"
    return (
        SetServices(tuple(ServiceWant(name, active=False) for name in old)),
        CaptureState(f"state of {state.name}", ROOTS),
        *(DumpDatabase(name) for name in state.databases),
        SetRepository(NEW, hosts.SOURCE.format(release="icehouse")),
        SetPackages(_to_icehouse(state), tuple(sorted({*old, *new})), configuration=f"state of {state.name}"),
        *((SetOption(configuration, "upgrade_levels", "compute", "havana"),) if configuration in state.files else ()),
        *(
            RunCommand(argv, covered=f"database {MIGRATIONS[argv]}")
            for argv in SYNC
            if MIGRATIONS[argv] in state.databases
        ),
        SetRepository(OLD),
        SetServices(tuple(ServiceWant(name, active=True) for name in new)),
    )


def _to_icehouse(state: HostState) -> tuple[PackageWant, ...]:
    words: dict[str, str | None] = {
        name: offers("icehouse")[name].version for name in state.packages if name in offers("icehouse")
    }
    solution = apt.solve(state, apt.Request(words, frozenset(), ("havana", "icehouse")))
    return tuple(
        PackageWant(name, "all", version or "", "installed" if version else "absent", _auto(state, name))
        for name, version in sorted(solution.changes.items())
    )


def _auto(state: HostState, name: str) -> bool:
    return state.packages[name].auto if name in state.packages else True

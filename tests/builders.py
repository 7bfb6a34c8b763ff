"""Facts, snapshots and runs made by hand, with as few words as a test needs."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from nornir_upgrade.core.facts.gather import Database, HostFacts, OperatingSystem, Service
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.model import Package, Selection, State
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import Run
from nornir_upgrade.core.step import Step
from rollback.packaging.candidate import Candidate, Catalog, catalog
from rollback.snapshot import Snapshot

DEBIAN = OperatingSystem("debian", "12", "bookworm", "deb", "amd64", "6.1.0", "0" * 32)
MOMENT = "2026-01-01T00:00:00.000+00:00"


def package(
    name: str,
    version: str,
    state: State = "installed",
    *,
    auto: bool = False,
    hold: bool = False,
    arch: str = "all",
    broken: bool = False,
) -> Package:
    selection: Selection = "deinstall" if state == "config-files" else "hold" if hold else "install"
    return Package(name, arch, version, state, selection, auto, broken)


def facts(
    host: str = "ctl1",
    packages: Iterable[Package] = (),
    services: Iterable[Service] = (),
    databases: Iterable[Database] = (),
    at: str = MOMENT,
) -> HostFacts:
    ordered = tuple(sorted(packages, key=lambda one: one.key))
    return HostFacts(host, at, DEBIAN, ordered, (), tuple(services), (), (), tuple(databases))


def running(*names: str) -> tuple[Service, ...]:
    return tuple(Service(name, True, "enabled") for name in names)


def snapshot(*hosts: HostFacts, run: str = "", at: str = MOMENT) -> Snapshot:
    return Snapshot("snapshot-1", "", at, run, hosts)


def offering(packages: Iterable[Package]) -> Catalog:
    return catalog(Candidate(one.name, one.arch, one.version, "archive old/main") for one in packages)


def plan(*waves: tuple[str, dict[str, Sequence[Step]]]) -> Plan:
    made = tuple(Wave(name, tuple(Work(host, tuple(steps)) for host, steps in work.items())) for name, work in waves)
    return Plan("forward", "a scenario", made)


class Diary:
    """Runs written into a real journal, step by step, without any host."""

    def __init__(self, directory: Path) -> None:
        self.journal = Journal(directory / "journal.db")

    def went(self, made: Plan, befores: dict[tuple[int, str, int], Step | None], *, ended: str = "") -> Run:
        """A run of `made` in which the steps at (wave, host, index) were begun, each with what it observed."""
        run = self.journal.open_run(made)
        for (wave, host, index), before in befores.items():
            self.journal.append(run.id, "step_started", wave=wave, host=host, index=index, before=before)
        if ended:
            self.journal.append(run.id, "run_ended", text=ended)
        return self.journal.run(run.id)

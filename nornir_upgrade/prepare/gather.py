"""Examination: a fleet's facts, soundings and previews, and the findings of the preflight about them. Only reads."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nornir_upgrade.core.errors import DiskFull, Failure, HostUnreadable, InvalidInput, Unreachable
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.facts.probe import Probe, Room, inspect
from nornir_upgrade.core.packaging.model import Transaction
from nornir_upgrade.core.packaging.preview import preview
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.finding import Finding
from nornir_upgrade.planner import upgrade
from nornir_upgrade.planner.repository_switch import Texts, files
from nornir_upgrade.planner.selection import clouds, database_host, members, parts
from nornir_upgrade.preflight import unreachable
from nornir_upgrade.preflight.findings import Soundings, findings, in_order
from nornir_upgrade.preflight.host import of_sources
from nornir_upgrade.preflight.probe import databases
from nornir_upgrade.runner.session import ask_all
from nornir_upgrade.scenario.model import Scenario

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet

T = TypeVar("T")
Previews = dict[str, dict[str, Transaction]]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Examined:
    """An examined fleet. `previews` is None if a finding blocked them. `texts`: the source files that a scenario rewrites."""

    facts: dict[str, HostFacts]
    soundings: Soundings
    findings: tuple[Finding, ...]
    previews: Previews | None
    texts: Texts


def examine(fleet: "NornirFleet", scenario: Scenario, note: Note, state: Path | None = None) -> Examined:
    """All that a plan needs from the fleet. `state` is the directory of the controller's own state.

    Raises `Unreachable`, and what previews refuse.
    """
    return _Examination(fleet, scenario, note, state).whole()


def examine_forgiving(fleet: "NornirFleet", scenario: Scenario, note: Note, state: Path | None = None) -> Examined:
    """As `examine`, but a host that fails is a finding among the others."""
    return _Examination(fleet, scenario, note, state, forgiving=True).whole()


def take_soundings(
    fleet: "NornirFleet", scenario: Scenario, facts: Mapping[str, HostFacts], state: Path | None = None
) -> tuple[Soundings, tuple[Finding, ...]]:
    """The soundings of the hosts in `facts`, and a finding for each host that failed."""
    examination = _Examination(fleet, scenario, lambda _: None, state, forgiving=True)
    return examination.soundings(facts), tuple(examination.failures)


@dataclass(slots=True)
class _Examination:
    """One examination. The failure of a host is raised; if `forgiving`, it becomes one of `failures`."""

    fleet: "NornirFleet"
    scenario: Scenario
    note: Note
    state: Path | None
    forgiving: bool = False
    failures: list[Finding] = field(default_factory=list)

    def whole(self) -> Examined:
        names = self._concerned_hosts()
        self.note(f"Gathering facts from {len(names)} hosts")
        facts = self._ask(names, gather)
        soundings = self.soundings(facts)
        early = self._findings(facts, None, soundings)
        if any(finding.word == "blocking" and finding.key not in unreachable.LOST for finding in early):
            return Examined(facts, soundings, early, None, {})
        previews = self._previews(facts, texts := self._texts(facts))
        return Examined(facts, soundings, self._findings(facts, previews, soundings, texts), previews, texts)

    def _concerned_hosts(self) -> tuple[str, ...]:
        """The selected hosts that are in a stage of the scenario, or whose databases it dumps."""
        groups = [group for stage in self.scenario.stages for group in stage.groups]
        concerned = members((*groups, *self.scenario.database_groups), self.fleet.inventory)
        return tuple(name for name in self.fleet.names if name in concerned)

    def soundings(self, facts: Mapping[str, HostFacts]) -> Soundings:
        hosts, defaults = self.fleet.inventory, self.scenario.defaults_file
        wanted = {
            database_host(self.scenario, near): databases(self.scenario, near, facts) for near in clouds(hosts).values()
        }

        def ask(host: Host) -> Probe:
            return inspect(host, facts[host.name].os.manager, wanted.get(host.name, ()), defaults)

        return Soundings(self._ask(tuple(facts), ask), _room(self.state) if self.state else None)

    def _texts(self, facts: Mapping[str, HostFacts]) -> Texts:
        """The source files whose suites the scenario changes, for each host that a stage selects."""
        inventory = self.fleet.inventory
        selected = {part.host for stage in self.scenario.stages for part in parts(stage, inventory, facts)}
        families = {repositories.family for repositories in self.scenario.repositories if repositories.rewrites}
        paths = {name: files(self.scenario, facts[name]) for name in selected if facts[name].os.family in families}

        def ask(host: Host) -> dict[str, str]:
            contents = host.read_many(paths[host.name]) if paths[host.name] else {}
            return {path: _text(host.name, path, data) for path, data in contents.items()}

        return self._ask(tuple(name for name in facts if name in paths), ask)

    def _previews(self, facts: dict[str, HostFacts], texts: Texts) -> Previews:
        requests = upgrade.requests(self.scenario, self.fleet.inventory, facts, texts)
        if requests:
            self.note(f"Asking {len(requests)} package managers what they would do")

        def ask(host: Host) -> dict[str, Transaction]:
            request = requests[host.name]
            return dict(preview(host, request.repositories, request.packages, request.narrow, manager=request.manager))

        return self._ask(tuple(requests), ask, facts)

    def _findings(
        self,
        facts: dict[str, HostFacts],
        previews: Previews | None,
        soundings: Soundings,
        texts: Texts | None = None,
    ) -> tuple[Finding, ...]:
        """Findings about the fleet as a whole are left out unless all hosts have answered: they could be wrong."""
        preflight = list(findings(self.scenario, self.fleet.inventory, facts, previews, soundings))
        preflight += of_sources(self.scenario, facts, texts or {})
        whole = facts.keys() == set(self._concerned_hosts())
        return in_order([*self.failures, *(finding for finding in preflight if finding.host or whole)])

    def _ask(
        self, names: Sequence[str], question: Callable[[Host], T], facts: Mapping[str, HostFacts] | None = None
    ) -> dict[str, T]:
        if not self.forgiving:
            return ask_all(self.fleet, names, question)
        answers: dict[str, T] = {}
        for name, answer in (self.fleet.each(names, question) if names else {}).items():
            if not isinstance(answer, Exception):
                answers[name] = answer
            else:
                self.failures.append(_finding(name, answer, facts))
        return answers


def _finding(host: str, failure: Exception, facts: Mapping[str, HostFacts] | None) -> Finding:
    """Raises `failure` if no finding describes it."""
    if isinstance(failure, Unreachable | HostUnreadable | DiskFull):
        return unreachable.of_lost(host, failure)
    finding = unreachable.of_preview(facts[host], failure) if facts and isinstance(failure, Failure) else None
    if not finding:
        raise failure
    return finding


def _text(host: str, path: str, data: bytes) -> str:
    """Raises `InvalidInput` if the file is not UTF-8: every text in a plan is."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{host}: {path}: byte {error.start} is no UTF-8") from None


def _room(directory: Path) -> Room:
    """The free bytes and inodes of the file system that holds `directory`, or will hold it."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    stat = os.statvfs(existing)
    mount = next(path for path in (existing, *existing.parents) if path.is_mount() or path == path.parent)
    inodes = stat.f_favail if stat.f_files else None
    return Room(str(directory), str(mount), stat.f_bavail * stat.f_frsize, inodes)

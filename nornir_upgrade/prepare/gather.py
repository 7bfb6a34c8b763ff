"""Examination: a fleet asked what the preflight judges, facts, what they do not hold, and what would be done. Only reads."""

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
from nornir_upgrade.preflight import findings as preflight
from nornir_upgrade.preflight import unreachable
from nornir_upgrade.preflight.findings import Soundings, in_order
from nornir_upgrade.preflight.host import of_sources
from nornir_upgrade.preflight.probe import databases
from nornir_upgrade.runner.session import ask_all
from nornir_upgrade.scenario.model import Scenario

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet

T = TypeVar("T")
Previews = dict[str, dict[str, Transaction]]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. `previews` is None where findings kept us from asking for them. `texts`: source files to be rewritten."""

    facts: dict[str, HostFacts]
    soundings: Soundings
    findings: tuple[Finding, ...]
    previews: Previews | None
    texts: Texts


def examine(fleet: "NornirFleet", scenario: Scenario, tell: Tell, state: Path | None = None) -> Examined:
    """Everything about the fleet that a plan wants to know; `state` is where the controller keeps what it is told.

    Raises `Unreachable`, and what previews refuse.
    """
    return _Examination(fleet, scenario, tell, state).whole()


def look(fleet: "NornirFleet", scenario: Scenario, tell: Tell, state: Path | None = None) -> Examined:
    """As `examine`, and what hosts fail in are findings among the others."""
    return _Examination(fleet, scenario, tell, state, forgiving=True).whole()


def sound(
    fleet: "NornirFleet", scenario: Scenario, facts: Mapping[str, HostFacts], state: Path | None = None
) -> tuple[Soundings, tuple[Finding, ...]]:
    """What facts do not hold, of the hosts that there are facts of, and the findings that hosts failed in."""
    examination = _Examination(fleet, scenario, lambda _: None, state, forgiving=True)
    return examination.soundings(facts), tuple(examination.found)


@dataclass(slots=True)
class _Examination:
    """One examination under way. Failures of hosts are raised, or, where it is `forgiving`, findings."""

    fleet: "NornirFleet"
    scenario: Scenario
    tell: Tell
    state: Path | None
    forgiving: bool = False
    found: list[Finding] = field(default_factory=list)

    def whole(self) -> Examined:
        names = self._concerned()
        self.tell(f"Gathering facts from {len(names)} hosts")
        facts = self._ask(names, gather)
        soundings = self.soundings(facts)
        early = self._findings(facts, None, soundings)
        if any(one.word == "blocking" and one.key not in unreachable.LOST for one in early):
            return Examined(facts, soundings, early, None, {})
        previews = self._previews(facts, texts := self._texts(facts))
        findings = self._findings(facts, previews, soundings, texts)
        return Examined(facts, soundings, findings, previews, texts)

    def _concerned(self) -> tuple[str, ...]:
        """The hosts in scope that a stage of the scenario is about, or whose databases it dumps."""
        groups = [group for stage in self.scenario.stages for group in stage.groups]
        meant = members((*groups, *self.scenario.database_groups), self.fleet.inventory)
        return tuple(name for name in self.fleet.names if name in meant)

    def soundings(self, facts: Mapping[str, HostFacts]) -> Soundings:
        hosts, defaults = self.fleet.inventory, self.scenario.defaults_file
        wanted = {
            database_host(self.scenario, near): databases(self.scenario, near, facts) for near in clouds(hosts).values()
        }

        def ask(host: Host) -> Probe:
            return inspect(host, facts[host.name].os.manager, wanted.get(host.name, ()), defaults)

        return Soundings(self._ask(tuple(facts), ask), _room(self.state) if self.state else None)

    def _texts(self, facts: Mapping[str, HostFacts]) -> Texts:
        """The source files whose suites the scenario changes, of the hosts that have a part in it."""
        inventory = self.fleet.inventory
        due = {one.host for stage in self.scenario.stages for one in parts(stage, inventory, facts)}
        families = {one.family for one in self.scenario.repositories if one.rewrites}
        paths = {name: files(self.scenario, facts[name]) for name in due if facts[name].os.family in families}

        def ask(host: Host) -> dict[str, str]:
            found = host.read_many(paths[host.name]) if paths[host.name] else {}
            return {path: _text(host.name, path, data) for path, data in found.items()}

        return self._ask(tuple(name for name in facts if name in paths), ask)

    def _previews(self, facts: dict[str, HostFacts], texts: Texts) -> Previews:
        requests = upgrade.requests(self.scenario, self.fleet.inventory, facts, texts)
        if requests:
            self.tell(f"Asking {len(requests)} package managers what they would do")

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
        """Without all hosts, what is said of the fleet as a whole would be wrong."""
        found = list(preflight.findings(self.scenario, self.fleet.inventory, facts, previews, soundings))
        found += of_sources(self.scenario, facts, texts or {})
        whole = facts.keys() == set(self._concerned())
        return in_order([*self.found, *(one for one in found if one.host or whole)])

    def _ask(
        self, names: Sequence[str], question: Callable[[Host], T], facts: Mapping[str, HostFacts] | None = None
    ) -> dict[str, T]:
        if not self.forgiving:
            return ask_all(self.fleet, names, question)
        found: dict[str, T] = {}
        for name, answer in (self.fleet.each(names, question) if names else {}).items():
            if not isinstance(answer, Exception):
                found[name] = answer
            else:
                self.found.append(_finding(name, answer, facts))
        return found


def _finding(host: str, failure: Exception, facts: Mapping[str, HostFacts] | None) -> Finding:
    """Raises `failure` where it is no finding."""
    if isinstance(failure, Unreachable | HostUnreadable | DiskFull):
        return unreachable.of_lost(host, failure)
    found = unreachable.of_preview(facts[host], failure) if facts and isinstance(failure, Failure) else None
    if not found:
        raise failure
    return found


def _text(host: str, path: str, data: bytes) -> str:
    """Raises `InvalidInput` where the file is no UTF-8, as all that a plan holds must be."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{host}: {path}: byte {error.start} is no UTF-8") from None


def _room(directory: Path) -> Room:
    """What is free where `directory` is, or will be."""
    there = next(path for path in (directory, *directory.parents) if path.exists())
    found = os.statvfs(there)
    mount = next(path for path in (there, *there.parents) if path.is_mount() or path == path.parent)
    inodes = found.f_favail if found.f_files else None
    return Room(str(directory), str(mount), found.f_bavail * found.f_frsize, inodes)

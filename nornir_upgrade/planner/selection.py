"""Selection: the hosts of a stage, with the packages and services that the stage means there. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol, TypeVar

from nornir_upgrade.core.facts.gather import HostFacts, Service
from nornir_upgrade.core.inventory.cloud import cloud_of
from nornir_upgrade.scenario.model import EVERY, CatalogueService, Scenario, Stage


class Member(Protocol):
    """A host of the inventory, with every group that it belongs to, parents included."""

    @property
    def name(self) -> str: ...

    @property
    def groups(self) -> Sequence[str]: ...

    @property
    def data(self) -> Mapping[str, Any]: ...


M = TypeVar("M", bound=Member)


@dataclass(frozen=True, slots=True)
class Unit:
    """A service of the catalogue on a host before the upgrade: under its old name, its new name, or both."""

    service: CatalogueService
    present: tuple[Service, ...]

    @property
    def active(self) -> bool:
        """Whether it runs, under either name."""
        return any(service.active for service in self.present)

    @property
    def enabled(self) -> bool:
        """Whether it starts at boot, under either name."""
        return any(service.enabled == "enabled" for service in self.present)

    @property
    def changes_name(self) -> bool:
        """Whether the host does not know its new name yet."""
        return self.service.name not in {service.name for service in self.present}


@dataclass(frozen=True, slots=True)
class HostSelection:
    """What a stage means on one host. `packages`: names of installed packages, sorted, without the `held` ones, which the
    administrator holds at their version. `units`: the stage's services there."""

    host: str
    packages: tuple[str, ...]
    held: tuple[str, ...]
    units: tuple[Unit, ...]


def members(groups: Sequence[str], hosts: Iterable[Member]) -> tuple[str, ...]:
    """The hosts in any of `groups`: group by group, in the inventory's order. Every host is in the group `all`."""
    known = tuple(hosts)
    return tuple(
        dict.fromkeys(host.name for group in groups for host in known if group == EVERY or group in host.groups)
    )


def clouds(hosts: Iterable[M]) -> dict[str, tuple[M, ...]]:
    """The hosts of each cloud, in the inventory's order. Clouds share no database, and no service waits for another's."""
    grouped: dict[str, list[M]] = {}
    for host in hosts:
        grouped.setdefault(cloud_of(host), []).append(host)
    return {cloud: tuple(members) for cloud, members in grouped.items()}


def units(services: Iterable[CatalogueService], facts: HostFacts) -> tuple[Unit, ...]:
    """The services that the host knows."""
    known = {service.name: service for service in facts.services}
    units_ = (Unit(service, tuple(known[name] for name in service.names if name in known)) for service in services)
    return tuple(unit for unit in units_ if unit.present)


def part(stage: Stage, facts: HostFacts) -> HostSelection | None:
    """The selection of `stage` on the host. None where the host has none of its packages, or, in a stage without packages, none
    of its services. None too where the stage takes packages of other managers only."""
    if not stage.is_for(facts.os.manager):
        return None
    there = units(stage.services, facts)
    matching = sorted(
        {
            (package.name, package.hold)
            for package in facts.packages
            if package.unpacked and matches(package.name, stage.packages)
        }
    )
    if not matching and (stage.packages or not there):
        return None
    held = tuple(name for name, hold in matching if hold)
    return HostSelection(facts.host, tuple(name for name, hold in matching if not hold), held, there)


def parts(stage: Stage, hosts: Iterable[Member], facts: Mapping[str, HostFacts]) -> tuple[HostSelection, ...]:
    """The selections of `stage` on all hosts with facts, in the order of `members`."""
    selections = (part(stage, facts[name]) for name in members(stage.groups, hosts) if name in facts)
    return tuple(selection for selection in selections if selection)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the names or globs means the package `name`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def database_host(scenario: Scenario, hosts: Iterable[Member]) -> str:
    """The host on which the databases of a cloud are dumped: the first of `hosts` in the database groups; '' where none is."""
    return next(iter(members(scenario.database_groups, hosts)), "")


def awaited(
    scenario: Scenario, stage: Stage, hosts: Iterable[Member], facts: Mapping[str, HostFacts]
) -> tuple[str, ...]:
    """The hosts of a cloud that a closing stage still waits for after this plan: out of scope, or held at the old release."""
    known = tuple(hosts)
    earlier = [other for other in scenario.stages if other.name in stage.after]
    absent = [name for other in earlier for name in members(other.groups, known) if name not in facts]
    held = [selection.host for other in earlier for selection in parts(other, known, facts) if selection.held]
    return tuple(dict.fromkeys((*absent, *held)))

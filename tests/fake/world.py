"""Fleets to plan for: facts and previews of fake hosts, as `gather` and `preview` would tell them of real ones."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core.facts.gather import HostFacts, Service, SourceFile
from nornir_upgrade.core.packaging.deb.apt import Apt, marked, parse_packages
from nornir_upgrade.core.packaging.model import Transaction
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.planner import upgrade
from nornir_upgrade.preflight import findings as preflight
from nornir_upgrade.preflight.findings import Finding
from nornir_upgrade.scenario import loader
from nornir_upgrade.scenario.model import Scenario
from tests.builders import DEBIAN, MOMENT
from tests.fake import apt, hosts, rpm_world, state
from tests.fake.rpm_world import RpmHost
from tests.fake.state import HostState

GROUPS = {"ctl1": ("lab", "control", "db"), "net1": ("lab", "network"), "rctl1": ("lab", "control", "db", "rpm")}
BOTH = ("havana", "icehouse")
SHIPPED = "service-by-service"


@dataclass(frozen=True, slots=True)
class Entry:
    """A host of an inventory."""

    name: str
    groups: tuple[str, ...]
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """An inventory and what is on its hosts. `scope`: the hosts that a limit lets in; empty: all. `rpm`: a cloud of RPM hosts."""

    states: dict[str, HostState]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scope: tuple[str, ...] = ()
    rpm: dict[str, RpmHost] = field(default_factory=dict)
    clouds: dict[str, str] = field(default_factory=dict)

    @property
    def inventory(self) -> tuple[Entry, ...]:
        return tuple(self._entry(name) for name in (*self.states, *self.rpm))

    def _entry(self, name: str) -> Entry:
        cloud = self.clouds.get(name, "rpm" if name in self.rpm else "")
        groups = self.groups.get(name) or GROUPS.get(name, ("lab", "compute"))
        return Entry(name, groups, {"cloud": cloud} if cloud else {})

    @property
    def facts(self) -> dict[str, HostFacts]:
        every = {name: facts_of(made) for name, made in self.states.items()}
        every |= {name: made.facts for name, made in self.rpm.items()}
        return {name: facts for name, facts in every.items() if name in (self.scope or every)}

    def previews(self, wanted: Scenario) -> dict[str, dict[str, Transaction]]:
        asked = upgrade.requests(wanted, self.inventory, self.facts)
        return {
            host: {stage: self._preview(host, names) for stage, names in request.packages.items()}
            for host, request in asked.items()
        }

    def _preview(self, host: str, names: Iterable[str]) -> Transaction:
        if host in self.rpm:
            return rpm_world.preview(self.rpm[host], names)
        return preview(self.states[host], names)

    def plan(self, name: str = SHIPPED, **settings: str) -> Plan:
        wanted = loader.load(name, settings)
        return upgrade.plan_upgrade(wanted, self.inventory, self.facts, self.previews(wanted))

    def findings(self, name: str = SHIPPED, **settings: str) -> tuple[Finding, ...]:
        wanted = loader.load(name, settings)
        return preflight.findings(wanted, self.inventory, self.facts, self.previews(wanted))


def lab() -> World:
    """The fleet of the lab."""
    return World({made.name: made for made in hosts.fleet()})


def mixed() -> World:
    """The fleet of the lab, with its RPM hosts, which are a cloud of their own."""
    return World({made.name: made for made in hosts.fleet()}, rpm=rpm_world.fleet())


def large(controllers: int = 3, compute: int = 12) -> World:
    """Several controllers, a database cluster of its own, many compute nodes."""
    databases = [f"db{number}" for number in range(1, 4)]
    states = {name: hosts.havana(name, (), hosts.DATABASES if name == "db1" else ()) for name in databases}
    control = [f"ctl{number}" for number in range(1, controllers + 1)]
    states |= {name: hosts.havana(name, hosts.CONTROL) for name in control}
    states["net1"] = hosts.havana("net1", ("quantum-dhcp-agent", "quantum-l3-agent"))
    states |= {f"cmp{n}": hosts.havana(f"cmp{n}", ("nova-compute",)) for n in range(1, compute + 1)}
    groups = dict.fromkeys(databases, ("db",)) | dict.fromkeys(control, ("control",))
    return World(states, groups)


def facts_of(made: HostState) -> HostFacts:
    """What `gather` would tell."""
    packages = marked(
        parse_packages(apt.package_lines(made)), [name for name, one in made.packages.items() if one.auto]
    )
    services = (
        Service(name, one.active, "enabled" if one.enabled else "disabled") for name, one in made.services.items()
    )
    sources = (path for path in made.files if path.startswith("/etc/apt/") and made.files[path].kind == "file")
    return HostFacts(
        made.name,
        MOMENT,
        DEBIAN,
        packages,
        (),
        tuple(sorted(services, key=lambda one: one.name)),
        tuple(SourceFile(path, hashlib.sha256(made.files[path].data).hexdigest()) for path in sorted(sources)),
        (),
    )


def preview(made: HostState, names: Iterable[str]) -> Transaction:
    """What `preview` would tell: the host's apt, asked with both repositories."""
    copy = state._decoder.decode(state._encoder.encode(made))
    solution = apt.previewed(copy, names, BOTH)
    return Apt().parse_simulation(apt.simulated(copy, solution).decode(), facts_of(copy).packages)

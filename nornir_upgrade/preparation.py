"""Preparation: from a scenario and a fleet to a plan, with what the preflight found on the way. Only reads."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import planner, preflight
from .controller import ask_all, gather_all
from .core.errors import Blocked
from .core.facts import HostFacts
from .core.host import Host
from .core.packages import Transaction
from .core.plan import Plan
from .core.preview import preview
from .preflight import Finding
from .scenario import Scenario
from .words import printable

if TYPE_CHECKING:
    from .core.fleet import NornirFleet

Previews = dict[str, dict[str, Transaction]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a scenario means for a fleet as it is. `plan` is None while a finding blocks."""

    scenario: Scenario
    facts: dict[str, HostFacts]
    findings: tuple[Finding, ...]
    plan: Plan | None

    def allowed(self) -> Plan:
        """The plan. Raises `Blocked` naming every finding that stands in its way."""
        if self.plan is None:
            raise Blocked(
                "the preflight found what must be mended first\n" + findings_in_text(blocking(self.findings)),
                hint="nothing was changed",
            )
        return self.plan


def prepare(fleet: "NornirFleet", scenario: Scenario, tell: Callable[[str], None]) -> Prepared:
    """Gather facts, look for what stands in the way, ask each host's package manager what it would do, and plan.

    Raises `Unreachable`, and whatever previews and planner refuse.
    """
    tell(f"Gathering facts from {len(fleet.names)} hosts")
    facts = gather_all(fleet)
    early = preflight.findings(scenario, fleet.inventory, facts)
    if blocking(early):
        return Prepared(scenario, facts, early, None)
    previews = _previews(fleet, scenario, facts, tell)
    found = preflight.findings(scenario, fleet.inventory, facts, previews)
    if blocking(found):
        return Prepared(scenario, facts, found, None)
    return Prepared(scenario, facts, found, planner.plan_upgrade(scenario, fleet.inventory, facts, previews))


def blocking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that must be mended before anything is touched."""
    return tuple(one for one in findings if one.severity == "blocking")


def findings_in_text(findings: Iterable[Finding]) -> str:
    """Findings as people read them, a paragraph each."""
    return "\n".join(
        f"{one.severity}: {one.host or 'fleet'}: {printable(one.text)} [{one.key}]\n    {printable(one.remedy)}"
        for one in findings
    )


def _previews(
    fleet: "NornirFleet", scenario: Scenario, facts: dict[str, HostFacts], tell: Callable[[str], None]
) -> Previews:
    requests = planner.requests(scenario, fleet.inventory, facts)
    if requests:
        tell(f"Asking {len(requests)} package managers what they would do")

    def ask(host: Host) -> dict[str, Transaction]:
        request = requests[host.name]
        return dict(preview(host, request.repositories, request.packages, family=request.family))

    return ask_all(fleet, tuple(requests), ask)

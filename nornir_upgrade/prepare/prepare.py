"""Preparation: from a scenario and a fleet to a plan, with what the preflight found on the way. Only reads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from nornir_upgrade.console.text import printable
from nornir_upgrade.core.errors import Blocked
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.finding import Finding
from nornir_upgrade.planner import upgrade
from nornir_upgrade.scenario.model import Scenario

from .gather import Examined, examine, look

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, made of a scenario or saved, with the facts and findings behind it. `plan` is None while a finding blocks.

    `scenario` is None for a saved plan whose scenario no longer exists.
    """

    scenario: Scenario | None
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


def prepare(
    fleet: "NornirFleet", scenario: Scenario, tell: Callable[[str], None], state: Path | None = None
) -> Prepared:
    """Gather facts, look for what stands in the way, ask each host's package manager what it would do, and plan.

    `state` is the directory of the controller's own state. Raises `Unreachable`, and whatever previews and planner refuse.
    """
    return _prepared(fleet, scenario, examine(fleet, scenario, tell, state))


def prepare_forgiving(
    fleet: "NornirFleet", scenario: Scenario, tell: Callable[[str], None], state: Path | None = None
) -> Prepared:
    """As `prepare`, but a host that fails is a finding among the others. Raises what the planner refuses."""
    return _prepared(fleet, scenario, look(fleet, scenario, tell, state))


def _prepared(fleet: "NornirFleet", scenario: Scenario, examined: Examined) -> Prepared:
    if examined.previews is None or blocking(examined.findings):
        return Prepared(scenario, examined.facts, examined.findings, None)
    plan = upgrade.plan_upgrade(scenario, fleet.inventory, examined.facts, examined.previews, examined.texts)
    return Prepared(scenario, examined.facts, examined.findings, plan)


def blocking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that must be mended before anything is touched."""
    return tuple(one for one in findings if one.word == "blocking")


def advisory(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that one may go past."""
    return tuple(one for one in findings if one.word == "advisory")


def summary(findings: Sequence[Finding]) -> str:
    """How many of each severity there are."""
    waived = sum(1 for one in findings if one.waived)
    counts = f"{len(blocking(findings))} blocking, {len(advisory(findings))} advisory"
    return f"{counts}, {waived} waived" if waived else counts


def findings_in_text(findings: Iterable[Finding]) -> str:
    """Findings as people read them, a paragraph each."""
    return "\n".join(
        f"{one.word}: {one.host or 'fleet'}: {printable(one.text)} [{one.key}]\n{indent(printable(one.remedy), ' ' * 4)}"
        for one in findings
    )

"""Preparation: a scenario's plan for a fleet, with the findings of the preflight. Only reads."""

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

from .gather import Examined, examine, examine_forgiving

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
        """The plan. Raises `Blocked` naming every blocking finding."""
        if self.plan is None:
            raise Blocked(
                "the preflight found what must be mended first\n" + findings_in_text(blocking(self.findings)),
                hint="nothing was changed",
            )
        return self.plan


def prepare(
    fleet: "NornirFleet", scenario: Scenario, note: Callable[[str], None], state: Path | None = None
) -> Prepared:
    """Gather facts, run the preflight, ask each host's package manager for a preview, and plan.

    `state` is the directory of the controller's own state. Raises `Unreachable`, and what previews and the planner refuse.
    """
    return _prepared(fleet, scenario, examine(fleet, scenario, note, state))


def prepare_forgiving(
    fleet: "NornirFleet", scenario: Scenario, note: Callable[[str], None], state: Path | None = None
) -> Prepared:
    """As `prepare`, but a host that fails is a finding among the others. Raises what the planner refuses."""
    return _prepared(fleet, scenario, examine_forgiving(fleet, scenario, note, state))


def _prepared(fleet: "NornirFleet", scenario: Scenario, examined: Examined) -> Prepared:
    if examined.previews is None or blocking(examined.findings):
        return Prepared(scenario, examined.facts, examined.findings, None)
    plan = upgrade.plan_upgrade(scenario, fleet.inventory, examined.facts, examined.previews, examined.texts)
    return Prepared(scenario, examined.facts, examined.findings, plan)


def blocking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that must be resolved before a run."""
    return tuple(finding for finding in findings if finding.word == "blocking")


def advisory(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that may be accepted."""
    return tuple(finding for finding in findings if finding.word == "advisory")


def summary(findings: Sequence[Finding]) -> str:
    """The number of findings of each severity."""
    waived = sum(1 for finding in findings if finding.waived)
    counts = f"{len(blocking(findings))} blocking, {len(advisory(findings))} advisory"
    return f"{counts}, {waived} waived" if waived else counts


def findings_in_text(findings: Iterable[Finding]) -> str:
    """Findings for people, a paragraph each."""
    return "\n".join(
        f"{finding.word}: {finding.host or 'fleet'}: {printable(finding.text)} [{finding.key}]\n"
        f"{indent(printable(finding.remedy), ' ' * 4)}"
        for finding in findings
    )

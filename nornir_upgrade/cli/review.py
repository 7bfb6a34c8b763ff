"""Announcing: what a run is to do, what stands against it, and how it would come back, told before anything is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nornir_upgrade.config import settings
from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.store import Store
from nornir_upgrade.finding import Finding
from nornir_upgrade.planner.reversibility import Proof
from nornir_upgrade.prepare import check
from nornir_upgrade.prepare.prepare import Prepared, advisory, blocking, findings_in_text, prepare, summary
from nornir_upgrade.prepare.rehearse import rehearse_or_refuse, without_way_back
from nornir_upgrade.prepare.reversibility import prove
from nornir_upgrade.report.plan_text import outline, text
from nornir_upgrade.runner.session import concerned, gather_all, refuse_drift, refuse_strangers
from nornir_upgrade.scenario.model import Scenario

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


@dataclass(frozen=True, slots=True)
class Announcer:
    """Tells on `screen` what is to be done to `fleet`."""

    flags: Flags
    fleet: "NornirFleet"
    screen: Screen

    def announce(self, target: Plan | Scenario) -> tuple[Plan, tuple[Proof, ...]]:
        """The plan that `target` is or leads to, shown, with the proof of its way back; nobody minded what was found.

        Raises `Blocked`, `Unreachable`, `Drift` for a saved plan, `Abort`, and what the planner refuses.
        """
        return self._verbatim(target) if isinstance(target, Plan) else self._fresh(target)

    def prove(self, plan: Plan, facts: Mapping[str, HostFacts]) -> tuple[Proof, ...]:
        """The proof of the way back from `plan`, host by host."""
        chosen = settings.read(self.flags.config)
        escrow = Escrow.beside(Store(chosen.store))
        return prove(self.fleet, plan, facts, escrow, self.screen.note, keeping=chosen.keep != "none")

    def rehearse(self, plan: Plan, proofs: Sequence[Proof]) -> None:
        """Returns when `plan` was rehearsed, as far as nothing needs be kept before. Raises `Blocked`."""
        store = Store(settings.read(self.flags.config).store)
        forward_only = without_way_back(proofs, keeping=False)
        rehearse_or_refuse(self.fleet, plan, store, self.screen, forward_only=forward_only)

    def advise(self, findings: Sequence[Finding]) -> None:
        """Afterwards what was found has been told."""
        if findings:
            self.screen.note(findings_in_text(findings))

    def _fresh(self, scenario: Scenario) -> tuple[Plan, tuple[Proof, ...]]:
        prepared = prepare(self.fleet, scenario, self.screen.note, settings.read(self.flags.config).state)
        made = prepared.allowed()
        self._go_past(prepared.findings)
        return made, self._shown(made, prepared.facts, scenario)

    def _verbatim(self, saved: Plan) -> tuple[Plan, tuple[Proof, ...]]:
        """Hosts that the plan does not concern are not asked. The preflight is that of the plan's scenario, if it still exists."""
        refuse_strangers(saved, self.fleet.names)
        names = concerned(saved)
        self.screen.note(f"Gathering facts from {len(names)} hosts")
        facts = gather_all(self.fleet, names=names)
        refuse_drift(saved, facts)
        chosen = settings.read(self.flags.config)
        known = check.scenario_of(saved, chosen)
        if known:
            found = check.of_plan(self.fleet, known, facts, chosen)
            Prepared(known, facts, found, None if blocking(found) else saved).allowed()
            self._go_past(found)
        return saved, self._shown(saved, facts, known)

    def _shown(self, plan: Plan, facts: Mapping[str, HostFacts], scenario: Scenario | None) -> tuple[Proof, ...]:
        proofs = self.prove(plan, facts)
        self.screen.note(text(outline(plan, facts, scenario, proofs), full=self.flags.diff))
        return proofs

    def _go_past(self, findings: Sequence[Finding]) -> None:
        """Returns when nobody minds the advisory ones. Raises `Abort` otherwise."""
        self.advise(findings)
        if advisory(findings) and not self.flags.force:
            self.screen.confirm(f"Preflight: {summary(findings)}. Go on?")

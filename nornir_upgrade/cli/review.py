"""Review: a plan, its findings and the proof of its way back, shown before anything is changed."""

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
from nornir_upgrade.planner.reversibility import Reversibility
from nornir_upgrade.prepare.prepare import advisory, findings_in_text, prepare, summary
from nornir_upgrade.prepare.rehearse import rehearse_or_refuse, without_way_back
from nornir_upgrade.prepare.reversibility import prove
from nornir_upgrade.prepare.saved_plan import prepare_saved
from nornir_upgrade.report.plan_text import outline_of, plan_in_text
from nornir_upgrade.scenario.model import Scenario

if TYPE_CHECKING:
    from nornir_upgrade.core.inventory.fleet import NornirFleet


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Shows on `screen` the plan for `fleet`, and the findings that block it."""

    flags: Flags
    fleet: "NornirFleet"
    screen: Screen

    def review(self, target: Plan | Scenario) -> tuple[Plan, tuple[Reversibility, ...]]:
        """The plan that `target` is or leads to, and the proof of its way back. Both were shown, and the findings confirmed.

        Raises `Blocked`, `Unreachable`, `Drift` for a saved plan, `Abort`, and what the planner refuses.
        """
        chosen, note = settings.read(self.flags.config), self.screen.note
        if isinstance(target, Plan):
            prepared = prepare_saved(self.fleet, target, chosen, note)
        else:
            prepared = prepare(self.fleet, target, note, chosen.state)
        plan = prepared.allowed()
        self._confirm(prepared.findings)
        proofs = self.prove(plan, prepared.facts)
        note(plan_in_text(outline_of(plan, prepared.facts, prepared.scenario, proofs), full=self.flags.diff))
        return plan, proofs

    def prove(self, plan: Plan, facts: Mapping[str, HostFacts]) -> tuple[Reversibility, ...]:
        """The proof of the way back from `plan` for each host. Raises as `reversibility.prove`."""
        chosen = settings.read(self.flags.config)
        escrow = Escrow.beside(Store(chosen.store))
        return prove(self.fleet, plan, facts, escrow, self.screen.note, keeping=chosen.keep != "none")

    def rehearse(self, plan: Plan, proofs: Sequence[Reversibility]) -> None:
        """Afterwards `plan` was rehearsed. A way back that needs files kept first is not rehearsed. Raises `Blocked`."""
        store = Store(settings.read(self.flags.config).store)
        forward_only = without_way_back(proofs, keeping=False)
        rehearse_or_refuse(self.fleet, plan, store, self.screen, forward_only=forward_only)

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Afterwards the findings are on stderr."""
        if findings:
            self.screen.note(findings_in_text(findings))

    def _confirm(self, findings: Sequence[Finding]) -> None:
        """Returns when the advisory findings are confirmed, or with `--force`. Raises `Abort` otherwise."""
        self.show_findings(findings)
        if advisory(findings) and not self.flags.force:
            self.screen.confirm(f"Preflight: {summary(findings)}. Go on?")

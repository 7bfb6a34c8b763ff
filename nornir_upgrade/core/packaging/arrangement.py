"""Arrangement: a package transaction as its manager simulates it, and how it is then carried out. Pure types."""

from dataclasses import dataclass

from nornir_upgrade.core.transport.host import Result

SIMULATION_LIMIT = 300.0
"""Seconds; a thousand packages took apt 10."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulated transaction says (`result`), and the question for whoever orders it; '' where there is none."""

    result: Result
    question: str = ""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a transaction is carried out: as its manager would by itself. Each manager has a kind of its own that says more, and is
    the only one to read it."""

"""TODO"""

from dataclasses import dataclass

from nornir_upgrade.core.packaging.deb.transition import Action
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
    """How a transaction is carried out. `guarded`: by a dpkg that loses no file and has sshd load itself again; `actions`: in this
    order, where apt's own is not safe. `parts`: full names of rpm packages, a transaction each, where one is not safe."""

    guarded: bool = False
    actions: tuple[Action, ...] = ()
    back: bool = False
    parts: tuple[frozenset[str], ...] = ()

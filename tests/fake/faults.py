"""Faults that a test plants in a fake host."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from nornir_upgrade.core.errors import Unreachable

# `before` and `after` an operation that a controller asked for; `within` a job, after each of its small steps.
Moment = Literal["before", "after", "within"]
Hook = Callable[[Moment, int, str], None]


class Crash(BaseException):
    """The controller dies here. No `Exception`, so that nothing on the way up takes it for a failure of the host."""


class JobCut(BaseException):
    """The host kills its jobs here (power, OOM killer), and the controller dies with it."""


@dataclass(slots=True)
class Faults:
    """`hook` is called at each moment with its number, counted from 1, and what goes on; what it raises happens there."""

    hook: Hook | None = None
    unreachable: bool = False
    moments: int = 0
    operations: list[str] = field(default_factory=list)

    def meet(self, moment: Moment, what: str, host: str) -> None:
        """Raises what was planted for this moment, or nothing."""
        if self.unreachable:
            raise Unreachable(f"{host}: no route to host")
        self.moments += 1
        self.operations.append(f"{moment} {what}")
        if self.hook:
            self.hook(moment, self.moments, what)


def dies_at(number: int) -> Hook:
    """Raises at the moment of that number: `JobCut` within a job, else `Crash`."""

    def hook(moment: Moment, count: int, what: str) -> None:
        if count == number:
            raise (JobCut if moment == "within" else Crash)(f"{moment} {what}")

    return hook


def raises_on(what: str, error: Callable[[], BaseException], *, moment: Moment = "before", times: int = 1) -> Hook:
    """Raises `error()` at the first `times` operations whose text contains `what`."""
    left = [times]

    def hook(now: Moment, count: int, text: str) -> None:
        if now == moment and what in text and left[0] > 0:
            left[0] -= 1
            raise error()

    return hook

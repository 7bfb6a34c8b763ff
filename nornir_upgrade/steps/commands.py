"""Command: runs a program, for changes that no other step covers. It names its way back, or is a point of no return."""

from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host, quote


@dataclass(frozen=True, slots=True)
class RunCommand(Step, kind="command"):
    """`argv` has ended with status 0, run as a job. It must be harmless to run twice: after an interruption it is run again.

    Its way back is the command `undo`, or the restore of the capture named `covered`. Without either it is a point of no
    return: the plan shows it, and a run passes it only with consent. `timeout` in seconds.
    """

    argv: tuple[str, ...]
    undo: tuple[str, ...] = ()
    covered: str = ""
    timeout: float = 3600.0
    kind: Literal["command"] = "command"

    def observe(self, host: Host, store: Store) -> Step | None:
        return RunCommand(self.undo, self.argv, timeout=self.timeout) if self.undo else None

    def apply(self, host: Host, store: Store) -> None:
        result = host.job("command", (self.argv,), timeout=self.timeout)
        if result.status != 0:
            raise CommandFailed(host.name, quote(self.argv[:3]), result.status, result.text)

    def describe(self) -> str:
        return f"run {quote(self.argv)}"

    @property
    def covered_by(self) -> str:
        return "" if self.undo else self.covered

    @property
    def point_of_no_return(self) -> str:
        return "" if self.undo or self.covered else "it names no command that undoes it, and no capture covers it"

"""Errors: the exceptions that a user can act on. Each has a stable reference, a hint and an exit code.

Imports only `error_output`, so that every room may raise them. The command lines print a `Failure` and exit with its `exit_code`.
"""

from typing import ClassVar

from .error_output import excerpt


class Failure(Exception):
    """An error that a user can act on. `message` says what failed and where, `hint` what to do."""

    reference: ClassVar[str] = "failure"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(Failure):
    """A file, argument or answer of a host is malformed. Nothing was changed."""

    reference = "invalid-input"
    exit_code = 10


class HostUnreadable(InvalidInput):
    """The answer of a host cannot be parsed: the host must be repaired first. Other hosts are not affected."""

    reference = "host-unreadable"
    exit_code = 24


class UnknownName(InvalidInput):
    """A host, group, scenario, run or snapshot does not exist. The hint lists those that do."""

    reference = "unknown-name"

    def __init__(self, kind: str, name: str, existing: "list[str] | tuple[str, ...]") -> None:
        known = ", ".join(existing) if existing else f"no {kind} at all"
        super().__init__(f"there is no {kind} {name!r}", hint=f"there is: {known}")


class JournalLocked(Failure):
    """Another controller owns the journal."""

    reference = "journal-locked"
    exit_code = 11


class UnfinishedRun(Failure):
    """A run that neither succeeded nor was undone prevents a new one."""

    reference = "unfinished-run"
    exit_code = 12


class Drift(Failure):
    """A host is no longer in the state that the plan was made for."""

    reference = "drift"
    exit_code = 13


class NoSolution(Failure):
    """No consistent set of packages satisfies the request."""

    reference = "no-solution"
    exit_code = 20


class Unobtainable(Failure):
    """Bytes that a way back needs are neither in a repository nor in escrow."""

    reference = "unobtainable"
    exit_code = 21


class DigestMismatch(Failure):
    """Bytes are not the bytes that were stored."""

    reference = "digest-mismatch"
    exit_code = 22


class DiskFull(Failure):
    """Bytes did not fit on a disk, of the controller or of a host. None of them were kept; everything stored before is whole."""

    reference = "disk-full"


class Irreversible(Failure):
    """A step has no way back, and consent was not given."""

    reference = "irreversible"
    exit_code = 23


class Blocked(Failure):
    """The preflight has a blocking finding, which must be resolved first."""

    reference = "blocked"
    exit_code = 24


class Unreachable(Failure):
    """A host does not answer, or refuses the login."""

    reference = "unreachable"
    exit_code = 30


class HostKeyRefused(Unreachable):
    """A host showed a key that differs from its known key, or that is unknown."""

    reference = "host-key"


class LoginRefused(Unreachable):
    """A host answers, but refuses the login."""

    reference = "login-refused"


class SudoRefused(Unreachable):
    """A host accepts the login, but does not let it become root."""

    reference = "sudo-refused"


class ConnectionLost(Unreachable):
    """The connection broke while a command was running: it is unknown what the host has done since."""

    reference = "connection-lost"


class CommandFailed(Failure):
    """A command on a host ended with another exit status than 0."""

    reference = "command-failed"

    def __init__(self, host: str, command: str, status: int, output: str, *, hint: str = "") -> None:
        tail = excerpt(output)
        super().__init__(f"{host}: {command} ended with status {status}" + (f":\n{tail}" if tail else ""), hint=hint)
        self.host = host
        self.status = status
        self.output = output


class TimedOut(Failure):
    """A command took longer than its limit. It may still be running on the host."""

    reference = "timed-out"


class PackageManagerLocked(Failure):
    """Another process held the package manager's lock beyond the limit."""

    reference = "package-manager-locked"


class SimulationDiffers(Failure):
    """The host's own package manager would do something other than the plan. Nothing was done."""

    reference = "simulation-differs"
    exit_code = 20


class UnsafeOrder(Failure):
    """Every order of unpacking a transaction's packages would make the host unreachable or irreparable for a while."""

    reference = "unsafe-order"
    exit_code = 20


class StateDiffers(Failure):
    """After a step, the host is not in the state that the step wants."""

    reference = "state-differs"


class GateFailed(Failure):
    """A health check did not pass within its time."""

    reference = "gate-failed"


class RunStopped(Failure):
    """A run stopped before its goal. It is open: it can be resumed or undone."""

    reference = "run-stopped"
    exit_code = 3


class Unwound(Failure):
    """A run failed and was undone: every host is in the state before the run."""

    reference = "unwound"
    exit_code = 4


class UndoFailed(Failure):
    """Undoing a run failed on a host."""

    reference = "undo-failed"
    exit_code = 5

"""The exception tree: what can go wrong, under a stable reference, with a hint and an exit code.

Imports nothing but `told`, so that every floor may raise from it. Doors turn a `Failure` into one message and `exit_code`.
"""

from typing import ClassVar

from .error_output import told


class Failure(Exception):
    """Something a user can act on. `message` says what and where, `hint` says what to do."""

    reference: ClassVar[str] = "failure"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(Failure):
    """A file, argument or host answer that does not say what it must. Nothing was changed."""

    reference = "invalid-input"
    exit_code = 10


class HostUnreadable(InvalidInput):
    """What a host says of itself cannot be read: something there must be mended first. It stands in nobody else's way."""

    reference = "host-unreadable"
    exit_code = 24


class UnknownName(InvalidInput):
    """A host, group, scenario, run or snapshot that does not exist; the message lists what does."""

    reference = "unknown-name"

    def __init__(self, kind: str, name: str, existing: "list[str] | tuple[str, ...]") -> None:
        known = ", ".join(existing) if existing else f"no {kind} at all"
        super().__init__(f"there is no {kind} {name!r}", hint=f"there is: {known}")


class JournalLocked(Failure):
    """Another controller owns the journal."""

    reference = "journal-locked"
    exit_code = 11


class UnfinishedRun(Failure):
    """A run that neither ended well nor was undone is in the way of a new one."""

    reference = "unfinished-run"
    exit_code = 12


class Drift(Failure):
    """A host is no longer in the state that the plan was made for."""

    reference = "drift"
    exit_code = 13


class NoSolution(Failure):
    """No consistent set of packages satisfies what was asked."""

    reference = "no-solution"
    exit_code = 20


class Unobtainable(Failure):
    """Bytes that undo needs are neither in a repository nor in escrow."""

    reference = "unobtainable"
    exit_code = 21


class DigestMismatch(Failure):
    """Bytes are not the bytes that were stored."""

    reference = "digest-mismatch"
    exit_code = 22


class DiskFull(Failure):
    """Bytes did not fit, here or on a host. Nothing of them was kept; what was kept before is whole."""

    reference = "disk-full"


class Irreversible(Failure):
    """There is no way back past this step, or the consent that it needs was not given."""

    reference = "irreversible"
    exit_code = 23


class Blocked(Failure):
    """The preflight found something that must be mended first."""

    reference = "blocked"
    exit_code = 24


class Unreachable(Failure):
    """A host does not answer, or does not let us in."""

    reference = "unreachable"
    exit_code = 30


class HostKeyRefused(Unreachable):
    """A host showed a key that is not the one we know, or that nobody told us of."""

    reference = "host-key"


class LoginRefused(Unreachable):
    """A host answers, and does not let our login in."""

    reference = "login-refused"


class SudoRefused(Unreachable):
    """A host lets our login in, and does not let it become root."""

    reference = "sudo-refused"


class ConnectionLost(Unreachable):
    """The connection broke while something was under way: what the host did since is unknown."""

    reference = "connection-lost"


class CommandFailed(Failure):
    """A command on a host ended with another exit status than 0."""

    reference = "command-failed"

    def __init__(self, host: str, command: str, status: int, output: str, *, hint: str = "") -> None:
        tail = told(output)
        super().__init__(f"{host}: {command} ended with status {status}" + (f":\n{tail}" if tail else ""), hint=hint)
        self.host = host
        self.status = status
        self.output = output


class TimedOut(Failure):
    """Something took longer than its limit; it may still be running on the host."""

    reference = "timed-out"


class PackageManagerLocked(Failure):
    """Another process holds the package manager's lock, and kept it past the limit."""

    reference = "package-manager-locked"


class SimulationDiffers(Failure):
    """The host's own package manager would do something else than the plan says; nothing was done."""

    reference = "simulation-differs"
    exit_code = 20


class UnsafeOrder(Failure):
    """In whatever order a transaction unpacks its packages, a host could not be logged in to, or be mended, meanwhile."""

    reference = "unsafe-order"
    exit_code = 20


class StateDiffers(Failure):
    """After a step its host is not in the state that the step was to reach."""

    reference = "state-differs"


class GateFailed(Failure):
    """A health check did not pass within its time."""

    reference = "gate-failed"


class RunStopped(Failure):
    """A run stopped before its goal; it is open, and can be resumed or undone."""

    reference = "run-stopped"
    exit_code = 3


class Unwound(Failure):
    """A run failed and was undone: every host is where it began."""

    reference = "unwound"
    exit_code = 4


class UndoFailed(Failure):
    """Undoing itself failed on a host."""

    reference = "undo-failed"
    exit_code = 5

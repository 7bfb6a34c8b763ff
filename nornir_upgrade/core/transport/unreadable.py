"""Unreadable: the error for an answer of a host that could not be parsed, with the command that gave it. Pure."""

from collections.abc import Mapping, Sequence

from nornir_upgrade.core.errors import HostUnreadable, InvalidInput

from .sections import Refusal

_SHOWN = 3  # lines of standard error in a message
_ALIKE = ("E: ", "Error: ", "error: ", "dpkg-query: error: ")
"""Beginnings of lines in which tools name the cause of a failure."""

COMMANDS: Mapping[str, str] = {
    "os": "/etc/os-release",
    "kernel": "/proc/sys/kernel/osrelease",
    "machine": "/etc/machine-id",
    "packages": "its list of packages",
    "auto": "apt-mark showauto",
    "policy": "apt-cache policy",
    "repositories": "/etc/yum.repos.d",
    "why": "dnf history",
    "locks": "dnf versionlock list",
    "arch": "rpm -E %_arch",
    "digests": "sha256sum of its configuration",
    "units": "systemctl list-units",
    "sizes": "its list of packages",
    "rooms": "df",
    "clock": "date",
}
"""Section of an answer -> the command or file that it comes from, for people who must look there."""


def unreadable(host: str, what: str, refusal: InvalidInput, errors: str) -> HostUnreadable:
    """The error for `host`, whose answer about `what` was refused. `errors`: the standard error of its commands."""
    causes = reasons(errors)
    if not isinstance(refusal, Refusal):
        text = f"{host}: {what} cannot be read: {refusal.message}"
        return HostUnreadable("; ".join([text, *causes]), hint=refusal.hint or f"on {host}: see what is wrong there")
    command = COMMANDS.get(refusal.section, refusal.section)
    place = f"{command}, line {refusal.line}" if refusal.line else command
    hint = f"on {host}: {command}" + ("; mend the file that it names" if causes else "")
    return HostUnreadable("; ".join([f"{host}: {place}: {refusal.reason}", *causes]), hint=hint)


def reasons(errors: str) -> Sequence[str]:
    """The lines of standard error that name a cause, or else the last lines; at most three."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return [line for line in lines if line.startswith(_ALIKE)][:_SHOWN] or lines[-_SHOWN:]

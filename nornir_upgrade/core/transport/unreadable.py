"""Unreadable: an answer of a host that could not be read, told in the words of the command that gave it. Pure."""

from collections.abc import Mapping, Sequence

from nornir_upgrade.core.errors import HostUnreadable, InvalidInput

from .sections import Refusal

_SAID = 3  # last lines of standard error that are told
_ALIKE = ("E: ", "Error: ", "error: ", "dpkg-query: error: ")
"""How tools begin the lines that say why they failed."""

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
"""What a part of an answer was asked with: where it must be asked again by hand."""


def unreadable(host: str, what: str, refusal: InvalidInput, errors: str) -> HostUnreadable:
    """The failure of `host`, of which `what` was asked, and of which `errors` is what its commands wrote to standard error."""
    said = reasons(errors)
    if not isinstance(refusal, Refusal):
        text = f"{host}: {what} cannot be read: {refusal.message}"
        return HostUnreadable("; ".join([text, *said]), hint=refusal.hint or f"on {host}: see what is wrong there")
    command = COMMANDS.get(refusal.section, refusal.section)
    place = f"{command}, line {refusal.line}" if refusal.line else command
    hint = f"on {host}: {command}" + ("; mend the file that it names" if said else "")
    return HostUnreadable("; ".join([f"{host}: {place}: {refusal.reason}", *said]), hint=hint)


def reasons(errors: str) -> Sequence[str]:
    """Of what was written to standard error the lines that say why, else the last ones."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return [line for line in lines if line.startswith(_ALIKE)][:_SAID] or lines[-_SAID:]

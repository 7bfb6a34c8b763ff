"""Failure of a dnf 4 call that did not end with status 0, read from its output. Pure; `LC_ALL=C`. Recorded with dnf 4.14.

A failed scriptlet fails the call only before its package is unpacked (%pre, %preun, %pretrans). After any other failed scriptlet
rpm continues, and dnf ends with status 0.
"""

import re

from nornir_upgrade.core.errors import CommandFailed, Failure, PackageManagerLocked, Unobtainable
from nornir_upgrade.core.transport import disk
from nornir_upgrade.core.transport.host import Result

LOCKED = 200  # dnf(8): a problem with acquiring or releasing of locks

_HOLDER = re.compile(r"already locked by (?P<pid>[0-9]+)(?:\n +The application with PID [0-9]+ is: (?P<name>.*))?")
_MISSING = re.compile(r"(?:Cannot find rpm nevra \"(?P<nevra>[^\"]+)\"|No match for argument: (?P<word>\S+))")
_SCRIPT = re.compile(r"^Error in (?P<scriptlet>[A-Z]+) scriptlet in rpm package (?P<package>\S+)$", re.M)
_SCRIPTS = {"PREIN": "%pre", "POSTIN": "%post", "PREUN": "%preun", "POSTUN": "%postun"}


def failure(host: str, result: Result, command: str = "dnf") -> Failure:
    """The failure that `result` is, of `command` (a call of dnf, in words)."""
    output = f"{result.text}\n{result.errors}"
    held = _HOLDER.search(output)
    if result.status == LOCKED or held:
        return PackageManagerLocked(
            f"{host}: the package manager's lock is held by {_holder(held)}",
            hint="wait for it to end, then resume the run",
        )
    if out_of_room := disk.of_full(host, output):
        return out_of_room
    if missing := [match["nevra"] or match["word"] for match in _MISSING.finditer(output)]:
        names = ", ".join(dict.fromkeys(missing))
        return Unobtainable(f"{host}: {names} not found", hint="no repository of this host has it")
    if script := _SCRIPT.search(output):
        name = _SCRIPTS.get(script["scriptlet"], script["scriptlet"])
        return CommandFailed(host, f"{name} of {script['package']}", result.status, output)
    return CommandFailed(host, command, result.status, output)


def of_script(result: Result) -> bool:
    """Whether a scriptlet failed, however dnf ended."""
    return bool(_SCRIPT.search(f"{result.text}\n{result.errors}"))


def _holder(held: re.Match[str] | None) -> str:
    if not held:
        return "another process"
    return f"process {held['pid']}" + (f" ({held['name']})" if held["name"] else "")

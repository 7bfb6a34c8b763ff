"""Lock: who changes packages on a host, and how long it is waited for. Shell pieces that each manager fills in."""

import re

from nornir_upgrade.core import waiting
from nornir_upgrade.core.errors import InvalidInput, PackageManagerLocked
from nornir_upgrade.core.transport.host import Host

LOCK_WAIT = 120
"""Seconds that another process may hold the package manager's lock, or a maintainer script may run on, before a step fails."""
_SLICE = 10
"""Seconds after which the host is asked again who holds it."""
# For a script that says how `holders` and `scripts` are found: `$pids` are those that are still at work after `$1` seconds.
WAIT = """\
rounds=$(($1 * 4))
while pids=$({ holders; scripts; } | sort -un) && [ -n "$pids" ] && [ $rounds -gt 0 ]; do
  sleep 0.25
  rounds=$((rounds - 1))
done
for pid in $pids; do printf '%s %s\\n' "$pid" "$(cat /proc/$pid/comm 2>/dev/null)"; done
"""
# For a script that knows `$units`.
STOP = """\
stop() {
  for unit in $units; do
    case $(systemctl show --property=ActiveState --value -- "$unit" 2>/dev/null) in
    '' | inactive | failed) ;;
    *) systemctl stop -- "$unit" || exit 1 ;;
    esac
  done
}
"""
_UNIT = re.compile(r"[A-Za-z0-9:_.][A-Za-z0-9:_.@-]*", re.ASCII)


def wait_for(host: Host, script: str) -> None:
    """Returns once nobody changes packages. `script` waits for as many seconds as its argument says, and prints who still does.

    It runs at once, then every few seconds, and each time the processes are reported. Raises `PackageManagerLocked`, which names
    them, after `LOCK_WAIT` seconds.
    """
    waited = seconds = 0
    while lines := host.run(("sh", "-c", script, "sh", str(seconds)), timeout=seconds + 60.0).text.splitlines():
        holders = ", ".join(
            f"{name or 'a process'} (pid {pid})" for pid, _, name in (line.partition(" ") for line in lines)
        )
        if waited >= LOCK_WAIT:
            raise PackageManagerLocked(
                f"{host.name}: packages are being changed by {holders}, for more than {LOCK_WAIT} s",
                hint="wait for it to end, then resume the run",
            )
        waiting.say(host.name, f"{holders}, which changes packages there, at most {LOCK_WAIT} s")
        seconds = min(_SLICE, LOCK_WAIT - waited)
        waited += seconds


def check_unit(name: str) -> str:
    """`name`. Raises `InvalidInput` where it is no name of a service (systemd.unit(5)): a shell might read it otherwise."""
    if not _UNIT.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name of a service", hint="systemd.unit(5)")
    return name

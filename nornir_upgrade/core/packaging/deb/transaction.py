"""Around one apt transaction: who is at work, which services may start, and what went wrong. Fixed scripts, pure parsers."""

import re
from collections.abc import Sequence

from nornir_upgrade.core.errors import CommandFailed, Failure, PackageManagerLocked, Unobtainable
from nornir_upgrade.core.packaging.lock import STOP, WAIT, check_unit, wait_for
from nornir_upgrade.core.transport import disk
from nornir_upgrade.core.transport.host import Host, Result

_MARK = "# nornir-upgrade: kept stopped while packages change"
POLICY = "/usr/sbin/policy-rc.d"

# /proc/locks tells the lock's holder without fuser(1), which may not be installed.
HOLDERS = """\
holders() {
  for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock; do
    inode=$(stat -c %i "$lock" 2>/dev/null) || continue
    sed -nE "s/^[0-9]+: [A-Z]+ +ADVISORY +WRITE +([1-9][0-9]*) [0-9a-f]+:[0-9a-f]+:$inode .*/\\\\1/p" /proc/locks
  done
}
"""
# Killing dpkg does not kill its maintainer script, which runs on without the lock: it is looked for by its path. Brackets keep
# the search from finding itself.
SCRIPTS = """\
scripts() {
  grep -lasE '[v]ar/lib/dpkg/(info/[^/]*[.]|tmp.ci/)(pre|post)(inst|rm)' /proc/[0-9]*/cmdline | cut -d/ -f3
}
"""
# Any write of dpkg's merges the journal that a killed dpkg left in /var/lib/dpkg/updates, without which apt-get refuses to work.
# Configuring is left to the transaction: where it goes back, the new version's scripts must not run first.
MERGE = "dpkg --set-selections </dev/null"
QUIET = f"""\
{HOLDERS}{SCRIPTS}{WAIT}\
[ -z "$pids" ] || exit 0
if grep -qsxF '{_MARK}' {POLICY}; then rm -f {POLICY}; fi
set -- /var/lib/dpkg/updates/[0-9]*
if [ -e "$1" ]; then {MERGE}; fi
"""

# invoke-rc.d(8), deb-systemd-invoke(1p): a policy-rc.d that exits with 101 denies the action. One that the administrator made is
# left alone, and must deny by itself. Ours goes when the command ends, whoever watches. A unit that runs nevertheless was started
# by a host that restarted in between; it would run on with what its package was then.
GUARD = f"""\
policy=$1 units=$2; shift 2
{STOP}\
if [ -e {POLICY} ] && ! grep -qsxF '{_MARK}' {POLICY}; then
  for unit in $units; do
    {POLICY} "$unit" start
    [ $? -eq 101 ] || {{ echo "{POLICY} of this host lets $unit start" >&2; exit 1; }}
  done
  stop
  exec "$@"
fi
stop
printf '%s' "$policy" > {POLICY}.new && chmod 755 {POLICY}.new && mv -f {POLICY}.new {POLICY} || exit 1
trap 'rm -f {POLICY}' EXIT
trap 'exit 1' HUP INT TERM
"$@"
"""

_POLICY_TEXT = """\
#!/bin/sh
{mark}
while [ "${{1#--}}" != "$1" ]; do shift; done
case $1:$2 in
*:stop) exit 0 ;;
{units}) exit 101 ;;
esac
exit 0
"""

CONFFILES = r"""
[ ! -f /var/lib/dpkg/status ] || dpkg-query --show --showformat '${Conffiles}\n'
"""
# dpkg(1): triggers that are waited for. One that fails is told of by the audit of packages, which comes later.
FINISH = """\
[ ! -f /var/lib/dpkg/status ] || dpkg --triggers-only --pending </dev/null || :
"""
_FINISH_LIMIT = 1800.0  # seconds: a trigger may make an initramfs

_ERROR = re.compile(
    r"^dpkg: error processing (?:package|archive) (?P<package>\S+) \(--(?P<action>\S+)\):\n +(?P<reason>.*)", re.M
)
_SCRIPT = re.compile(r"(?P<package>\S+) package (?P<moment>pre|post)-(?P<action>installation|removal) script")
_STATUS = re.compile(r"exit status ([0-9]+)")
_HOLDER = re.compile(r"(?:held by process|another process with pid) (?P<pid>[0-9]+)(?: \((?P<name>[^)]*)\))?")
_MISSING = re.compile(
    r"^E: (?:Version '.*' for '.*' was not found|Unable to locate package .*|Package '.*' has no .*candidate)$", re.M
)


def wait_until_quiet(host: Host) -> None:
    """Afterwards nobody changes packages on `host`, and of a transaction that was cut off neither our policy is left nor the journal of
    its dpkg.

    Raises `PackageManagerLocked`, which names who is still at work after `LOCK_WAIT` seconds. Nobody is ended, no lock removed.
    """
    wait_for(host, QUIET)


def guarded(argv: Sequence[str], keep_stopped: Sequence[str]) -> tuple[str, ...]:
    """The command that stops the services `keep_stopped` and runs `argv`, whose maintainer scripts cannot start them; only `argv`
    when there are none.
    """
    if not keep_stopped:
        return tuple(argv)
    units = [check_unit(name) for name in keep_stopped]
    patterns = "|".join(f"{unit}:*|{unit}.service:*" for unit in units)
    text = _POLICY_TEXT.format(mark=_MARK, units=patterns)
    return ("sh", "-c", GUARD, "sh", text, " ".join(f"{unit}.service" for unit in units), *argv)


def merge_journal() -> tuple[str, ...]:
    """The command after which apt-get works on a host whose dpkg was killed."""
    return ("sh", "-c", MERGE, "sh")


def failure(host: str, result: Result, command: str = "apt-get") -> Failure:
    """What `command` (a call of apt-get, in words) that did not end with status 0 died of, by what it said."""
    output = f"{result.text}\n{result.errors}"
    if held := _HOLDER.search(output):
        name = f" ({held['name']})" if held["name"] else ""
        return PackageManagerLocked(
            f"{host}: the package manager's lock is held by process {held['pid']}{name}",
            hint="wait for it to end, then resume the run",
        )
    if out_of_room := disk.of_full(host, output):
        return out_of_room
    if missing := [line.removeprefix("E: ") for line in _MISSING.findall(output)]:
        return Unobtainable(f"{host}: {'; '.join(missing)}", hint="no repository of this host has it")
    errors = list(_ERROR.finditer(output))
    # A package that waits for a failed one is told of in the same words: the cause is the one with a script.
    for error in sorted(errors, key=lambda error: not _SCRIPT.search(error["reason"])):
        status = _STATUS.search(error["reason"])
        return CommandFailed(host, _culprit(error), int(status[1]) if status else result.status, output)
    return CommandFailed(host, command, result.status, output)


def _culprit(error: re.Match[str]) -> str:
    """`postinst of nova-api`, or the package alone where dpkg itself failed."""
    if not (script := _SCRIPT.search(error["reason"])):
        return f"dpkg --{error['action']} of {error['package']}"
    return f"{script['moment']}{'inst' if script['action'] == 'installation' else 'rm'} of {script['package']}"


def conffiles(host: Host) -> tuple[str, ...]:
    """The conffiles that dpkg remembers now."""
    lines = host.run(("sh", "-c", CONFFILES, "sh")).text.split("\n")
    return tuple(dict.fromkeys(line[1:].split(" ")[0] for line in lines if line.startswith(" /")))


def finish(host: Host) -> None:
    """Afterwards no trigger waits: what triggers make is compared with what was."""
    host.run(("sh", "-c", FINISH, "sh"), timeout=_FINISH_LIMIT)

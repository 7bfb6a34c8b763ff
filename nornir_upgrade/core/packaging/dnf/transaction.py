"""Around one dnf transaction: who is at work, and which services may start. Fixed scripts, pure parsers."""

from collections.abc import Sequence

from nornir_upgrade.core.packaging.lock import STOP, WAIT, check_unit, wait_for
from nornir_upgrade.core.packaging.rpm import query
from nornir_upgrade.core.transport.host import Host

DROPIN = "nornir-upgrade-kept-stopped.conf"

# dnf writes its process into its locks (dnf/lock.py) and leaves them behind when it is killed; rpm's is one of the kernel's.
HOLDERS = """\
holders() {
  for file in /var/cache/dnf/*_lock.pid /var/lib/dnf/*_lock.pid /run/yum.pid; do
    pid=$(cat "$file" 2>/dev/null) || continue
    if grep -qasE 'dnf|yum|python' "/proc/$pid/cmdline"; then echo "$pid"; fi
  done
  inode=$(stat -L -c %i /var/lib/rpm/.rpm.lock 2>/dev/null) &&
    sed -nE "s/^[0-9]+: [A-Z]+ +ADVISORY +WRITE +([1-9][0-9]*) [0-9a-f]+:[0-9a-f]+:$inode .*/\\\\1/p" /proc/locks
}
"""
# Killing rpm does not kill its scriptlet, which runs on without the lock: it is looked for by its file. Brackets keep the search from
# finding itself.
SCRIPTS = """\
scripts() {
  grep -lasE '[v]ar/tmp/rpm-tmp[.]' /proc/[0-9]*/cmdline | cut -d/ -f3
}
"""
QUIET = f"""\
{HOLDERS}{SCRIPTS}{WAIT}\
[ -z "$pids" ] || exit 0
set -- /run/systemd/system/*.service.d/{DROPIN}
if [ -e "$1" ]; then rm -f "$@" && systemctl daemon-reload; fi
"""

# A condition that does not hold lets systemctl start end well, and starts nothing (systemd.unit(5), ConditionPathExists); below /run
# it stands for units as well that are installed only now, and changes nothing of how they are enabled. It goes when the command
# ends, whoever watches. A unit that runs nevertheless was started by a host that restarted in between.
GUARD = f"""\
units=$1; shift
{STOP}\
release() {{
  for unit in $units; do
    rm -f "/run/systemd/system/$unit.d/{DROPIN}"
    rmdir "/run/systemd/system/$unit.d" 2>/dev/null
  done
  systemctl daemon-reload
}}
trap release EXIT
trap 'exit 1' HUP INT TERM
for unit in $units; do
  mkdir -p "/run/systemd/system/$unit.d" &&
    printf '[Unit]\\nConditionPathExists=/nonexistent\\n' > "/run/systemd/system/$unit.d/{DROPIN}" || exit 1
done
systemctl daemon-reload || exit 1
stop
"$@"
"""

# The old listener runs the program on the disk for each connection, and a newer one may not understand it. Its package has it started
# anew only after everything is erased that went (%systemd_postun_with_restart). So it loads itself again (SIGHUP, sshd(8)) as
# soon as the sshd on the disk passes its own test.
LISTENER = """\
listener() {
  pid=$(cat /run/sshd.pid 2>/dev/null) || pid=$(systemctl show --property=MainPID --value sshd.service 2>/dev/null)
  case $(readlink "/proc/$pid/exe" 2>/dev/null) in */sshd*) ;; *) return 0 ;; esac
  [ /usr/sbin/sshd -ef "/proc/$pid/exe" ] || ! /usr/sbin/sshd -t 2>/dev/null || kill -HUP "$pid"
}
follow() { while sleep 0.2; do listener; done; }
follow &
follower=$!
trap 'kill "$follower" 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
"$@"
status=$?
listener
exit $status
"""

# dnf protects the kernel that runs where it finds its image in rpm's database (dnf.conf(5), protect_running_kernel): by the name of
# the image, not of what else a kernel may be made of, nor by what a package says that it provides.
RUNNING = f"""\
kernel=$(uname -r)
for path in "/boot/vmlinuz-$kernel" "/lib/modules/$kernel" "/lib/modules/$kernel/vmlinuz" "/usr/lib/modules/$kernel"; do
  rpm -qf --qf '={query.FORMAT}' -- "$path"
done 2>/dev/null
rpm -q --whatprovides --qf '={query.FORMAT}' "kernel-uname-r = $kernel" 2>/dev/null
:
"""


def running_kernel(host: Host) -> frozenset[tuple[str, str, str]]:
    """Name, architecture and version of each package that holds the kernel that `host` runs on."""
    lines = host.run(("sh", "-c", RUNNING, "sh")).text.splitlines()
    rows = [query.row(line.removeprefix("=")) for line in lines if line.startswith("=")]
    return frozenset((row.name, row.arch, row.evr) for row in rows)


def wait_until_quiet(host: Host) -> None:
    """Afterwards nobody changes packages on `host`, and no service of it is kept stopped by a transaction that was cut off.

    Raises `PackageManagerLocked`, which names who is still at work. Nobody is ended, no lock removed.
    """
    wait_for(host, QUIET)


def guarded(argv: Sequence[str], keep_stopped: Sequence[str]) -> tuple[str, ...]:
    """The command that stops the services `keep_stopped` and runs `argv`, whose scriptlets cannot start them; only `argv` when
    there are none.
    """
    if not keep_stopped:
        return tuple(argv)
    units = [f"{check_unit(name)}.service" for name in keep_stopped]
    return ("sh", "-c", GUARD, "sh", " ".join(units), *argv)


def with_listener(argv: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `argv`, a transaction which exchanges sshd, and has its listener be what is on the disk."""
    return ("sh", "-c", LISTENER, "sh", *argv)


def conffiles(host: Host) -> tuple[str, ...]:  # noqa: ARG001
    """rpm remembers none of packages that are gone."""
    return ()


def finish(host: Host) -> None:
    """rpm has run all triggers by the end of its transaction."""

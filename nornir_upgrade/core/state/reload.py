"""What a host's own programs do around a restore of its state: which conffiles there are, what still waits, what must read anew."""

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.transport.host import Host

_TIMEOUT = 1800.0  # seconds: a trigger may make an initramfs

CONFFILES = r"""
[ ! -f /var/lib/dpkg/status ] || dpkg-query --show --showformat '${Conffiles}\n'
"""

# dpkg(1): triggers that are waited for. One that fails is told of by the audit of packages, which comes later.
FINISH = """\
[ ! -f /var/lib/dpkg/status ] || dpkg --triggers-only --pending </dev/null || :
"""

# An older ld.so.cache would name libraries that went; a label of SELinux is the policy's. A unit that failed because its file went is
# no failure once it is gone. A socket cannot listen while its service, which an older script started first, runs (systemd.socket(5)).
RELOAD = """\
listen() {
  running=
  for one in $(systemctl show --property=Triggers --value -- "$1"); do
    ! systemctl --quiet is-active -- "$one" || running="$running $one"
  done
  systemctl stop -- "$1" $running || :
  systemctl start -- "$1" || :
  [ -z "$running" ] || systemctl start -- $running || :
}
if command -v ldconfig >/dev/null; then ldconfig; fi
if command -v restorecon >/dev/null && command -v selinuxenabled >/dev/null && selinuxenabled; then restorecon -R /etc; fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl list-units --state=failed --full --plain --no-legend |
while read -r unit load _; do
  case $load/$unit in
    not-found/*) systemctl reset-failed -- "$unit" || : ;;
    loaded/*.socket) [ "$(systemctl is-enabled -- "$unit")" != enabled ] || listen "$unit" ;;
  esac
done
"""


def conffiles(host: Host, family: str) -> tuple[str, ...]:
    """The conffiles that dpkg knows now. rpm keeps none in mind: there are none to be taken away for it."""
    if family != "deb":
        return ()
    lines = host.run(("sh", "-c", CONFFILES, "sh")).text.split("\n")
    return tuple(dict.fromkeys(line[1:].split(" ")[0] for line in lines if line.startswith(" /")))


def finish(host: Host, family: str) -> None:
    """Afterwards no trigger waits that packages left: what it makes is compared with what was."""
    if family == "deb":
        host.run(("sh", "-c", FINISH, "sh"), timeout=_TIMEOUT)


def reload(host: Host) -> None:
    """Afterwards systemd and the dynamic loader know what stands in /etc. Raises `CommandFailed`."""
    result = host.run(("sh", "-c", RELOAD, "sh"), timeout=300.0, check=False)
    if result.status != 0:
        raise CommandFailed(host.name, "systemctl daemon-reload", result.status, result.errors)

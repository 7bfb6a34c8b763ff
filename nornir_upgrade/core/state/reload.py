"""What a host's own programs do after a restore of its state: systemd and the dynamic loader read it again."""

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.transport.host import Host

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


def reload(host: Host) -> None:
    """Afterwards systemd and the dynamic loader know what stands in /etc. Raises `CommandFailed`."""
    result = host.run(("sh", "-c", RELOAD, "sh"), timeout=300.0, check=False)
    if result.status != 0:
        raise CommandFailed(host.name, "systemctl daemon-reload", result.status, result.errors)

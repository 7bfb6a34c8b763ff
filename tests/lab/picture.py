"""What is true of the fleet, found out without any code of the product: the proof that it is equal is proved by other means."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from nornir_upgrade.lab.lab import Lab

Picture = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Host -> area -> name -> what is true of it."""

# Whole directories, not only what facts speak of. Not compared: what a running system writes by itself. Which units are enabled
# is told by their files and the links to them in /etc; `systemctl list-unit-files` would cost as much as all else here.
_SCRIPT = r"""
export LC_ALL=C
if [ -e /var/lib/dpkg/status ]; then
  echo '== packages'; dpkg-query -W -f '${binary:Package}\t${Version} ${db:Status-Want} ${db:Status-Eflag} ${db:Status-Status}\n'
  echo '== auto'; apt-mark showauto
  echo '== holds'; apt-mark showhold
  echo '== audit'; dpkg --audit
else
  echo '== packages'; rpm -qa --qf '%{NEVRA}\n'
  echo '== asked for'; dnf -q --disablerepo='*' repoquery --userinstalled
  echo '== holds'; cat /etc/dnf/plugins/versionlock.list
  echo '== audit'; dnf -q --disablerepo='*' check
fi
echo '== etc'; find /etc -xdev ! -type f -printf '%p\t%y %m %u %g %l\n' | sort
find /etc -xdev -type f -printf '%p\t%m %u %g\n' | sort
echo '== contents'; find /etc -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sed -E 's/^([0-9a-f]{64})  (.*)/\2\t\1/'
echo '== units'; find /usr/lib/systemd/system -name '*.service' -printf '%p\t%m %u %g %l\n'
echo '== active'; systemctl list-units --type=service --state=active --plain --no-legend | sed -E 's/^(\S+).*/\1/' |
  grep -vE '^(user|user-runtime-dir)@|^systemd-'
echo '== ours'; find /usr/sbin/policy-rc.d* /var/lib/nornir-upgrade /var/tmp/nornir-upgrade* ! -type d 2>/dev/null
echo '== answers'
curl -s --max-time 10 --write-out '\n%{url_effective}\n' \
  $(printf 'http://localhost:%s/ ' 5000 9292 8774 18001 18002 18003 9696 18004 18005 8776 18006) |
  awk '/^http:\/\/localhost:[0-9]+\/$/ { split($0, part, /[:\/]/); print part[5] "\t" said; said = ""; next } { said = said $0 }'
if command -v mariadb-dump >/dev/null; then
  echo '== rows'
  mariadb-dump --skip-dump-date --order-by-primary --routines --triggers --events --databases "$@" | nl -ba -w 6
fi
"""
_DATABASES = ("keystone", "glance", "nova", "quantum", "cinder")


def take(lab: Lab, hosts: Iterable[str]) -> Picture:
    """What is true now of the hosts, all of them asked at once."""
    names = tuple(hosts)
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(lambda name: _of(lab, name), names), strict=True))


def differences(before: Picture, after: Picture) -> list[str]:
    """A line for each thing that is not as it was."""
    found = []
    for host, areas in before.items():
        for area in sorted(areas.keys() | after[host].keys()):
            then, now = areas.get(area, {}), after[host].get(area, {})
            found += [
                f"{host}: {area}: {name}: {then.get(name, 'absent')} -> {now.get(name, 'absent')}"
                for name in sorted(then.keys() | now.keys())
                if then.get(name) != now.get(name)
            ]
    return found


def _of(lab: Lab, host: str) -> Mapping[str, Mapping[str, str]]:
    said = lab.run(host, ["sh", "-c", _SCRIPT, "sh", *_DATABASES], check=False).stdout.decode(errors="surrogateescape")
    areas: dict[str, dict[str, str]] = {}
    for line in said.splitlines():
        if line.startswith("== "):
            area = areas.setdefault(line.removeprefix("== "), {})
        else:
            name, _, value = line.partition("\t")
            area[name] = value or "there"
    assert "answers" in areas, said
    return areas

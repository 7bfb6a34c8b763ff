"""A shell and the library that it runs on, forward and back with a real dnf: at no moment does the shell lack its library."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.packaging.arrangement import Arrangement
from nornir_upgrade.core.packaging.dnf import arrangement
from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.rehearsal import rehearse
from nornir_upgrade.core.packaging.rpm import split as rpm_split
from nornir_upgrade.core.packaging.rpm.transition import RpmTransition
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab.host import LabHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.steps.packages import SetPackages
from tests.conftest import OWN, connect

pytestmark = pytest.mark.lab

DNF = Dnf()
STANDING = ("also", "ksh", "libshell")

# Version N of the library has the symbols V1 to VN, and version N of the shell requires VN. Every scriptlet writes down which of both
# is on the disk. `also` is no shell, and uses the library as well.
STAND_INS = """\
set -e
mkdir -p /root/build && cd /root/build
package() { # NAME VERSION FILE, lines of the header on stdin
  { printf 'Name: %s\\nVersion: %s\\nRelease: 1\\nSummary: stand-in\\nLicense: ASL 2.0\\n' "$1" "$2"
    printf 'BuildArch: noarch\\nAutoReqProv: no\\n'
    cat
    printf '%%description\\nStand-in.\\n%%install\\nmkdir -p %%{buildroot}/opt/lab\\n'
    printf 'echo %s > %%{buildroot}%s\\n' "$2" "$3"
    for when in post preun postun; do
      printf '%%%s\\necho "$(cat /opt/lab/libshell) $(cat /opt/lab/ksh) %s-%s %s" >> /var/log/lab-moments\\n' $when "$1" "$2" $when
    done
    printf '%%files\\n%s\\n' "$3"
  } > "$1-$2.spec"
}
for version in 1 2; do
  { echo 'Provides: libshell.so.1()(64bit)'; seq -f 'Provides: libshell.so.1(V%g)(64bit)' $version; } |
    package libshell $version /opt/lab/libshell
  echo "Requires: libshell.so.1(V$version)(64bit)" | package ksh $version /opt/lab/ksh
  echo "Requires: libshell.so.1(V$version)(64bit)" | package also $version /opt/lab/also
done
rpmbuild -bb --quiet --define '_rpmdir /srv/stand-ins' ./*.spec
createrepo_c -q /srv/stand-ins
printf '[stand-ins]\\nname=stand-ins\\nbaseurl=file:///srv/stand-ins\\ngpgcheck=0\\n' > /etc/yum.repos.d/stand-ins.repo
dnf -q -y install ksh-1 libshell-1 also-1
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    """An rpm host with the stand-ins at version 1, and 2 to be had."""
    lab = Lab(tmp_path_factory.mktemp("order") / "own", prefix=OWN)
    try:
        lab.up([LabHost("rcmp1", 22, base="rpm")])
        made = connect(lab, "rcmp1")
        made.run(("sh", "-c", STAND_INS), timeout=120)
        yield made
        made.close()
    finally:
        lab.down()


def reach(host: SshHost, store: Store, version: int) -> Sequence[str]:
    """All stand-ins are at `version`; the moments on the way are returned."""
    host.run(("rm", "-f", "/var/log/lab-moments"))
    want = tuple(PackageWant(name, "noarch", f"{version}-1", "installed") for name in STANDING)
    SetPackages(want, downgrade=version == 1, family="rpm").apply(host, store)
    return host.run(("cat", "/var/log/lab-moments")).text.splitlines()


def bad(moments: Sequence[str]) -> list[str]:
    """Those at which the shell is newer than its library."""
    return [line for line in moments if line.split()[1] > line.split()[0]]


def transactions(host: SshHost) -> int:
    """How many dnf did so far."""
    return len(host.run(("dnf", "-q", "history", "list")).text.splitlines())


def test_a_shell_never_lacks_its_library(host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    before = transactions(host)
    assert bad(reach(host, store, 2)) == []
    assert transactions(host) == before + 1, "forward one transaction is safe"
    moments = reach(host, store, 1)
    assert bad(moments) == []
    assert transactions(host) == before + 3, "back the library has a transaction of its own"
    assert [line.split()[2] for line in moments if line.endswith(" post")][-1] == "libshell-1"
    with monkeypatch.context() as patch:
        patch.setattr(arrangement, "arrange", lambda host, simulation: Arrangement())
        reach(host, store, 2)
        assert bad(reach(host, store, 1)) != [], "in one transaction rpm has the library first"


def test_the_way_back_is_split_before_the_way_forward_is_gone(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host tells of the state that is not there yet is enough to find the same transactions."""
    found: list[rpm_split.Split] = []
    arrived = rpm_split.split

    def split(change: RpmTransition) -> rpm_split.Split:
        found.append(arrived(change))
        return found[-1]

    monkeypatch.setattr(rpm_split, "split", split)
    present = DNF.parse_query(host.run(DNF.query()).text)
    after = [replace(one, version="2-1") if one.name in STANDING else one for one in present]
    want = [PackageWant(name, "noarch", "1-1", "installed") for name in STANDING]
    rehearsed = rehearse(host, "dnf4", {}, present, after, want)
    assert rehearsed.refusal == "" and rehearsed.said is not None and len(rehearsed.said.changes) == 3
    (one,) = found
    assert [sorted(slot.name for slot in part) for part in one.parts] == [["also", "ksh"], ["libshell"]]
    monkeypatch.setattr(rpm_split, "split", lambda change: rpm_split.Split((), ("nothing is safe",)))
    assert rehearse(host, "dnf4", {}, present, after, want).refusal.endswith("keeps this host usable: nothing is safe")


# An sshd which is another file than before, and a package after it that sees whether the listener is that file by then.
EXCHANGED = """\
set -e
mkdir -p /root/sshd && cd /root/sshd
cat > openssh-server.spec <<'EOF'
Name: openssh-server
Version: 9
Release: 1
Summary: stand-in
License: ASL 2.0
BuildArch: noarch
AutoReqProv: no
%define __os_install_post %{nil}
%define _binaries_in_noarch_packages_terminate_build 0
%description
Stand-in.
%install
mkdir -p %{buildroot}/usr/sbin
{ cat /usr/sbin/sshd; echo; } > %{buildroot}/usr/sbin/sshd
%files
%attr(0755,root,root) /usr/sbin/sshd
EOF
cat > later.spec <<'EOF'
Name: later
Version: 9
Release: 1
Summary: stand-in
License: ASL 2.0
BuildArch: noarch
Requires: openssh-server = 9
%description
Stand-in.
%post
left=100
until [ /usr/sbin/sshd -ef "/proc/$(cat /run/sshd.pid)/exe" ] || [ $((left -= 1)) -eq 0 ]; do sleep 0.1; done
[ $left -eq 0 ] || echo listens > /var/log/lab-listener
%files
EOF
rpmbuild -bb --quiet --define '_rpmdir /srv/sshd' ./*.spec
createrepo_c -q /srv/sshd
printf '[sshd]\\nname=sshd\\nbaseurl=file:///srv/sshd\\ngpgcheck=0\\n' > /etc/yum.repos.d/sshd.repo
"""


def test_an_sshd_that_is_exchanged_listens_before_the_transaction_ends(host: SshHost, tmp_path: Path) -> None:
    """Its package has it started anew only when all is erased that went, which may be long after."""
    host.run(("sh", "-c", EXCHANGED), timeout=120)
    listener = host.run(("cat", "/run/sshd.pid")).text
    want = tuple(PackageWant(name, "noarch", "9-1", "installed") for name in ("openssh-server", "later"))
    SetPackages(want, family="rpm").apply(host, Store(tmp_path / "store"))
    assert host.run(("cat", "/var/log/lab-listener")).text == "listens\n"
    assert host.run(("cat", "/run/sshd.pid")).text == listener, "it loaded itself again, and was not started anew"
    assert host.run(("pgrep", "-f", "[l]istener;"), check=False).status == 1, "nobody follows it any longer"

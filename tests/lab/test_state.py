"""B4, B7: what maintainer scripts change beside their packages' files goes back on a real host, in an order that dpkg bears."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from nornir_upgrade.core.engine import Outcome, Policy, execute
from nornir_upgrade.core.facts.compare import compare, compared
from nornir_upgrade.core.facts.gather import gather, package_digest
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import Run, unwind
from nornir_upgrade.core.state import reload
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.steps.gates import AuditClean
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.state import CaptureState
from tests.conftest import NODES, connect

pytestmark = pytest.mark.lab

REPOSITORY = "/srv/scripted"
SOURCES = "/etc/apt/sources.list.d/scripted.list"

# `roots` keeps a file that is no conffile, as ca-certificates does; its newer version switches off what it does not know. `mailer`
# comes with a user, a group and an override, and leaves all of them behind when it is purged, as exim4 does; its script needs the user
# then. The newer `roots` has no use for a group any more that the older one's script needs.
_MAKE = r"""
make() {
  package=$1 version=$2
  mkdir -p "$work/DEBIAN" "$work/usr/share/$package"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Lab <lab@example.org>\nDescription: %s\n' \
    "$package" "$version" "$package" > "$work/DEBIAN/control"
  printf '%s' "$version" > "$work/usr/share/$package/version"
  printf '#!/bin/sh\nset -e\n%s\n' "$3" > "$work/DEBIAN/postinst"
  printf '#!/bin/sh\nset -e\n%s\n' "${4-}" > "$work/DEBIAN/postrm"
  chmod 755 "$work/DEBIAN/postinst" "$work/DEBIAN/postrm"
  dpkg-deb --build --root-owner-group "$work" "$repository/${package}_${version}_all.deb" >/dev/null
  rm -rf "$work"
}
index() {
  for file in *.deb; do
    dpkg-deb --field "$file"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
  done > Packages
}
repository=$1 work=$(mktemp -d)
mkdir -p "$repository" && cd "$repository"
groupadd -g 4321 Own-group
make roots 1.0 '[ -e /etc/roots.conf ] || printf "one\ntwo\n" > /etc/roots.conf
chgrp Own-group /usr/share/roots/version'
make roots 2.0 'sed -i "s/^two/!two/" /etc/roots.conf; echo three >> /etc/roots.conf
mkdir -p /etc/roots.d; ln -sf /etc/roots.conf /etc/roots.d/all
if dpkg-statoverride --list /etc/roots.conf >/dev/null; then dpkg-statoverride --remove /etc/roots.conf; groupdel Own-group; fi'
make mailer 1.0 'getent group Lab-mail >/dev/null || groupadd -r Lab-mail
getent passwd Lab-mail >/dev/null || useradd -r -g Lab-mail -d /var/lib/mailer -s /usr/sbin/nologin Lab-mail
file=/usr/share/mailer/version
dpkg-statoverride --list $file >/dev/null || dpkg-statoverride --update --add root Lab-mail 2750 $file
mkdir -p /etc/mailer; : > /etc/mailer/made; chown Lab-mail:Lab-mail /etc/mailer/made' 'getent passwd Lab-mail >/dev/null'
index
printf 'deb [trusted=yes] file:%s ./\n' "$repository" > "$2"
apt-get -qq update
apt-get -qq install roots=1.0
dpkg-statoverride --update --add root Own-group 0640 /etc/roots.conf
"""
_PICTURE = r"""
find /etc -xdev '(' -type f -o -type l -o -type d ')' -printf '%p %y %m %U:%G %l\n' |
  grep -vE '^/etc/(ld.so.cache|.pwd.lock|(passwd|group|shadow|gshadow)-) ' | sort
find /etc -xdev -type f ! -name ld.so.cache ! -name .pwd.lock ! -name '*-' -exec sha256sum {} + | sort
cat /var/lib/dpkg/statoverride; dpkg-statoverride --list; dpkg-query -W; dpkg --audit
"""


class OneHost:
    """A fleet of one."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def each(self, names: Sequence[str], act: Callable[[Host], object]) -> Mapping[str, object]:
        try:
            return {self.host.name: act(self.host)}
        except Exception as error:
            return {self.host.name: error}


class Place:
    """A controller's directory, and a host on which packages with scripts of their own can be had."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host, self.store, self.journal = host, Store(directory / "store"), Journal(directory / "journal.db")
        host.run(("sh", "-euc", _MAKE, "sh", REPOSITORY, SOURCES), timeout=300)

    def picture(self) -> list[str]:
        return self.host.run(("sh", "-c", _PICTURE), timeout=300).text.splitlines()

    def execute(self, run: Run) -> Outcome:
        return execute(run, OneHost(self.host), self.journal, self.store, Policy(), package_digest)  # type: ignore[arg-type]

    def forward(self) -> Run:
        """The newer `roots`, and the `mailer`, as every plan does it."""
        want = (PackageWant("mailer", "all", "1.0", "installed"), PackageWant("roots", "all", "2.0", "installed"))
        steps = (CaptureState("state"), SetPackages(want, configuration="state"))
        ends = Wave("state", (Work(self.host.name, (CaptureState("end", end=True),)),))
        wave = Wave("all", (Work(self.host.name, steps),), (Work(self.host.name, (AuditClean(),)),))
        run = self.journal.open_run(Plan("forward", "scripted", (wave, ends)))
        outcome = self.execute(run)
        assert outcome.succeeded, outcome.failed
        return self.journal.run(run.id)


@pytest.fixture
def place(nodes: Lab, tmp_path: Path) -> Iterator[Place]:
    host = connect(nodes, NODES[0].name)
    yield Place(host, tmp_path)
    host.close()


def test_scripts_traces_are_seen_and_gone_after_the_way_back_to_the_byte(place: Place) -> None:
    before, start = place.picture(), gather(place.host)
    run = place.forward()
    there = gather(place.host)
    changed = {(one.area, one.name) for one in compare(start, there)}
    assert {
        ("etc", "/etc/roots.conf"),
        ("etc", "/etc/roots.d/all"),
        ("etc", "/etc/mailer/made"),
        ("accounts", "user Lab-mail"),
        ("accounts", "group Lab-mail"),
        ("accounts", "group Own-group"),
        ("statoverrides", "/etc/roots.conf"),
        ("statoverrides", "/usr/share/mailer/version"),
    } <= changed
    assert b"!two" in place.host.read("/etc/roots.conf")
    back = place.journal.open_run(unwind(run), parent=run.id)
    outcome = place.execute(back)
    assert outcome.succeeded, outcome.failed
    assert place.picture() == before
    end = gather(place.host)
    assert [str(one) for one in compare(start, end) if not one.explained] == []
    counts = compared(start, end)
    assert counts["etc"] > 100 and counts["accounts"] > 20 and "databases" not in counts
    place.host.run(
        ("apt-get", "-qq", "install", "--reinstall", "roots=1.0"), timeout=120
    )  # dpkg reads accounts and overrides


def test_a_group_that_an_override_needs_is_there_whenever_dpkg_runs(place: Place) -> None:
    """Taken back from anywhere: also where the capture's whole was restored already, and the controller died."""
    before = place.picture()
    run = place.forward()
    plan = unwind(run)
    for _ in range(2):  # resumed, each step is done again from its beginning
        for work in (work for wave in plan.waves for work in wave.work):
            for step in work.steps:
                step.apply(place.host, place.store)
                assert place.host.run(("dpkg", "--audit")).text == ""
    assert place.picture() == before


def test_what_was_captured_can_be_read_out_of_the_store_and_nowhere_else(place: Place, tmp_path: Path) -> None:
    secret = b"Lab-secret:$6$not-for-any-eye:19000:0:99999:7:::\n"
    shadow = place.host.read("/etc/shadow")
    place.host.write("/etc/shadow", shadow + secret, mode="0640", group="shadow")
    run = place.forward()
    digest = hashlib.sha256(shadow + secret).hexdigest()
    assert place.store.get(digest) == shadow + secret
    for path in (one for one in tmp_path.rglob("*") if one.is_file() and "store" not in one.parts):
        assert b"not-for-any-eye" not in path.read_bytes(), path
    facts = gather(place.host)
    assert "not-for-any-eye" not in repr(facts) and "not-for-any-eye" not in repr(run)


_BUSY = """\
cd /etc/systemd/system
printf '[Socket]\\nListenStream=127.0.0.1:9876\\n[Install]\\nWantedBy=sockets.target\\n' > heard.socket
printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > heard.service
printf '[Service]\\nExecStart=/bin/false\\n' > gone.service
systemctl daemon-reload
systemctl enable -q heard.socket
systemctl start gone.service || :
systemd-run -q --unit other python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 9876)); time.sleep(99)'
until ss -ltn | grep -q 127.0.0.1:9876; do sleep 0.1; done
systemctl start heard.socket || :
systemctl start heard.service
systemctl stop other
rm gone.service
"""


def test_a_socket_listens_again_and_what_went_has_not_failed(place: Place) -> None:
    place.host.run(("sh", "-c", _BUSY))
    failed = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
    assert {line.split()[0] for line in place.host.run(failed).text.splitlines()} == {"heard.socket", "gone.service"}
    reload.reload(place.host)
    assert place.host.run(failed).text == ""
    assert place.host.run(("systemctl", "is-active", "heard.socket", "heard.service")).text == "active\nactive\n"

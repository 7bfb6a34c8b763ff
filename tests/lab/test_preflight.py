"""The preflight on real hosts: what is found, shown with its remedy, and not passed where it blocks."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab.site import ONE, SCENARIO, Site

pytestmark = pytest.mark.lab

RPM_ONE = ("--limit", "rcmp1", "--set", "group_network=")
LOCK = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(100)"


@dataclass(frozen=True, slots=True)
class Case:
    """A finding of a host, and the shell text that brings it about there: `meanwhile` runs on beside what is asked."""

    key: str
    severity: str
    says: str
    remedy: str
    do: str = ":"
    meanwhile: str = ""
    more: tuple[str, ...] = ()
    ends: int = 24

    def __str__(self) -> str:
        return f"{self.key} {self.severity}"


SMALL = "mkdir -p {0} && mount -t tmpfs -o size={1},nr_inodes={2} none {0}"
CASES = (
    Case(
        "disk-space",
        "blocking",
        "/var/cache/apt/archives has ",
        "apt-get clean",
        SMALL.format("/var/cache/apt/archives", "1m", 10000),
    ),
    Case(
        "inodes",
        "blocking",
        "/var/cache/apt/archives has 9",
        "du --inodes",
        SMALL.format("/var/cache/apt/archives", "100m", 100),
    ),
    Case(
        "package-manager-locked",
        "advisory",
        "by python3 (pid ",
        "ps -fp ",
        meanwhile=f'exec python3 -c "{LOCK}" /var/lib/dpkg/lock-frontend',
    ),
    Case(
        "script-orphaned",
        "blocking",
        "without its package manager: sh",
        "ps -fp ",
        meanwhile="exec sh -c 'sleep 100; :' /var/lib/dpkg/info/nova-common.postinst",
    ),
    Case(
        "upgrade-by-others",
        "blocking",
        "unattended-upgr (pid ",
        "ps -fp ",
        "cp /bin/sleep /tmp/unattended-upgrade",
        "exec /tmp/unattended-upgrade 100",
    ),
    Case(
        "package-broken",
        "blocking",
        "less",
        "dpkg --configure -a",
        "sed -i '/^Package: less$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status",
    ),
    Case(
        "service-down",
        "blocking",
        "nova-compute should run",
        "journalctl -u nova-compute",
        "systemctl stop nova-compute",
    ),
    Case(
        "repository-unreachable",
        "blocking",
        "/nowhere",
        "apt-get update",
        more=("--set", "archive=http://10.99.0.1:8000/nowhere"),
        ends=21,
    ),
    Case(
        "repository-unsigned",
        "blocking",
        "NO_PUBKEY",
        "apt-get update",
        "gpg --version >/dev/null 2>&1; : > /usr/share/keyrings/empty.gpg",
        more=("--set", "keyring=/usr/share/keyrings/empty.gpg"),
        ends=21,
    ),
    Case(
        "repository-unsigned",
        "advisory",
        "/etc/apt/sources.list.d/own.list",
        "signed-by",
        "mkdir /srv/own && : >/srv/own/Packages && echo 'deb [trusted=yes] file:/srv/own ./' >/etc/apt/sources.list.d/own.list",
    ),
    Case("conffile-edited", "advisory", "/etc/nova/nova.conf", "nova.conf.dpkg-dist"),
    Case(
        "reboot-pending",
        "advisory",
        "linux-image-6.1",
        "systemctl reboot",
        "touch /run/reboot-required; echo linux-image-6.1 >/run/reboot-required.pkgs",
    ),
    Case(
        "version-unoffered",
        "advisory",
        "nova-compute 1:2013.2",
        "rollback escrow fetch",
        "rm -f /etc/apt/sources.list.d/cloud-havana.list; apt-get -qq update",
    ),
    Case("no-solution", "blocking", "nova-common", "apt-mark showhold", "apt-mark hold nova-common", ends=20),
)
RPM_CASES = (
    Case(
        "disk-space",
        "blocking",
        "/var/cache/dnf has ",
        "dnf clean packages",
        SMALL.format("/var/cache/dnf", "1m", 10000),
    ),
    Case(
        "package-manager-locked",
        "advisory",
        "by python3 (pid ",
        "ps -fp ",
        meanwhile=f'exec python3 -c "{LOCK}" /var/lib/rpm/.rpm.lock',
    ),
    Case(
        "script-orphaned",
        "blocking",
        "without its package manager: sh",
        "ps -fp ",
        meanwhile="exec sh -c 'sleep 100; :' /var/tmp/rpm-tmp.x1",
    ),
    Case(
        "upgrade-by-others",
        "blocking",
        "dnf-automatic (pid ",
        "ps -fp ",
        "cp /bin/sleep /tmp/dnf-automatic",
        "exec /tmp/dnf-automatic 100",
    ),
    Case(
        "repository-unreachable",
        "blocking",
        "/nowhere",
        "dnf --refresh makecache",
        more=("--set", "rpm_archive=http://10.99.0.1:8000/nowhere"),
        ends=21,
    ),
    Case(
        "repository-unsigned",
        "advisory",
        "/etc/yum.repos.d/cloud-havana.repo",
        "gpgcheck=1",
        "sed -i s/gpgcheck=1/gpgcheck=0/ /etc/yum.repos.d/cloud-havana.repo",
    ),
    Case("conffile-edited", "advisory", "/etc/nova/nova.conf", "nova.conf.rpmnew"),
)


@contextmanager
def brought_about(site: Site, host: str, case: Case) -> Iterator[None]:
    """What runs on in the meantime ends with the block, by its own id."""
    site.lab.run(host, ["sh", "-c", case.do])
    if not case.meanwhile:
        yield
        return
    begin = 'echo $$ >/tmp/meanwhile.new; mv /tmp/meanwhile.new /tmp/meanwhile; eval "$1"'
    site.lab.run(
        host, ["sh", "-c", 'setsid sh -c "$1" sh "$2" >/dev/null 2>&1 </dev/null &', "sh", begin, case.meanwhile]
    )
    site.await_true(lambda: site.lab.run(host, ["test", "-s", "/tmp/meanwhile"], check=False).returncode == 0)
    try:
        yield
    finally:
        site.lab.run(host, ["sh", "-c", "kill -9 $(cat /tmp/meanwhile)"])


def found_at(shown: Any, host: str, case: Case) -> list[Any]:
    told = [
        one
        for one in shown["findings"]
        if (one["key"], one["host"], one["severity"]) == (case.key, host, case.severity)
    ]
    assert any(case.says in one["text"] and case.remedy in one["remedy"] for one in told), shown
    return told


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found_on_a_debian_host(small: Site, case: Case) -> None:
    with brought_about(small, "cmp1", case):
        _holds(small, "cmp1", ONE, case)


@pytest.mark.parametrize("case", RPM_CASES, ids=str)
def test_it_is_found_on_an_rpm_host(rpm_small: Site, case: Case) -> None:
    with brought_about(rpm_small, "rcmp1", case):
        _holds(rpm_small, "rcmp1", RPM_ONE, case)


def _holds(site: Site, host: str, limit: tuple[str, ...], case: Case) -> None:
    blocks = case.severity == "blocking"
    shown = site.upgrade("check", SCENARIO, *limit, *case.more, "-o", "json", status=24 if blocks else 0).document
    found_at(shown, host, case)
    if blocks:
        site.forward(*limit, *case.more, "--force", status=case.ends)
        assert site.runs() == []


# ---------------------------------------------------------------------- databases


@pytest.mark.parametrize(
    "case",
    [
        Case(
            "database-unreachable",
            "blocking",
            "its databases cannot be asked",
            "systemctl status mariadb",
            "systemctl stop mariadb",
        ),
        Case(
            "database-too-big",
            "blocking",
            "are free for its dump",
            "du -x /var/lib/nornir-upgrade",
            SMALL.format("/var/lib/nornir-upgrade", "64k", 1000),
        ),
        Case(
            "database-missing",
            "blocking",
            "has no database glance",
            "SHOW DATABASES",
            "mariadb -e 'DROP DATABASE glance'",
        ),
    ],
    ids=str,
)
def test_it_is_found_on_a_database_host(control: Site, case: Case) -> None:
    with brought_about(control, "ctl1", case):
        _holds(control, "ctl1", (), case)


# ---------------------------------------------------------------------- the way in


def unreached(site: Site, key: str, says: str, remedy: str) -> None:
    done = site.upgrade("check", SCENARIO, "--limit", "@compute", "-o", "json", status=30)
    found_at(done.document, "cmp1", Case(key, "blocking", says, remedy))
    assert {one["host"] for one in done.document["findings"]} >= {"cmp1", "cmp2"}, "the other host is still looked at"
    assert "not reached: cmp1" in done.err
    site.forward("--limit", "@compute", "--force", status=30)
    assert site.runs() == []


def test_a_host_that_is_down(small: Site) -> None:
    small.lab.link("cmp1", False)
    unreached(small, "host-unreachable", "no answer", "see that it is up")


def test_a_host_whose_key_is_another(small: Site) -> None:
    key = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"x" * 32).decode()
    (status,) = (one for one in small.lab.status() if one.name == "cmp1")
    lines = [line for line in small.lab.known_hosts.read_text().splitlines() if f"[{status.address}]" not in line]
    known = small.directory / "known"
    known.write_text("\n".join([*lines, f"[{status.address}]:{status.port} ssh-ed25519 {key}"]) + "\n")
    extras = {"use_keys": True, "key_file": str(small.lab.key), "allow_agent": False, **small.known_hosts(known)}
    small.configure(connection={"username": "root", "extras": extras})
    unreached(small, "host-key", "showed another host key", "ssh-keygen -R")


def test_a_login_that_is_refused(small: Site) -> None:
    small.configure(hosts={"cmp1": {"username": "nobody-here"}})
    unreached(small, "login-refused", "does not let nobody-here in", "see its username")


def test_a_login_that_cannot_become_root(small: Site) -> None:
    small.lab.run("cmp1", ["sh", "-c", "rm -f /etc/sudoers.d/ops"])
    small.configure(hosts={"cmp1": {"username": "ops"}})
    unreached(small, "sudo-refused", "ops cannot become root", "NOPASSWD")


# ---------------------------------------------------------------------- what it costs


def test_looking_changes_nothing(site: Site) -> None:
    site.rollback("snapshot", "--label", "before")
    site.upgrade("check", SCENARIO)
    assert "No difference" in site.rollback("diff", "before").said
    left = site.lab.run("ctl1", ["sh", "-c", "ls -d /var/tmp/nornir-upgrade.* 2>/dev/null"], check=False)
    assert left.stdout.strip() in ("", b"")

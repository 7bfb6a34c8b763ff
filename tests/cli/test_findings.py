"""One test a finding: provoked on fake hosts through the command line, shown with its remedy, and not passed where it blocks."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import time
from typing import Any

import pytest

from nornir_upgrade.finding import STRICT, WAIVABLE, Finding
from nornir_upgrade.preflight.probe import _comparing
from nornir_upgrade.prepare.prepare import findings_in_text
from tests.cli.site import Site
from tests.cli.test_doors import on_a_terminal
from tests.fake import hosts
from tests.fake.fleet import open_fleet
from tests.fake.host import FakeHost
from tests.fake.state import Service

NAME = "service-by-service"
ROOM = "/\t{0} {1} {1} /\n/usr\t{0} {1} {1} /\n/var/cache/apt/archives\t{0} {1} {1} /\n/var/lib/nornir-upgrade\t{0} {1} {1} /\n"
ELSEWHERE = {
    "data-not-taken-back": "tests/preflight/test_findings.py",
    "disk-full": "tests/preflight/test_unreachable.py",
    "family-without-repositories": "tests/preflight/test_findings.py",
    "host-unreadable": "tests/cli/test_lost_hosts.py",
    "hold-in-the-way": "tests/preflight/test_findings.py",
    "host-key": "tests/lab/test_preflight.py",
    "limit-splits-stage": "tests/preflight/test_findings.py",
    "login-refused": "tests/lab/test_preflight.py",
    "nothing-newer": "tests/preflight/test_findings.py",
    "package-lost": "tests/preflight/test_findings.py",
    "package-unobtainable": "tests/preflight/test_unreachable.py",
    "rehearsal-failed": "tests/lab/test_rehearse.py",
    "rehearsal-impossible": "tests/cli/test_rehearse.py",
    "repository-expired": "tests/preflight/test_unreachable.py",
    "stages-entangled": "tests/preflight/test_findings.py",
    "suite-missing": "tests/scenario/test_any_host.py",
    "sudo-refused": "tests/lab/test_preflight.py",
}
"""What fake hosts, or this fleet, cannot be brought to."""


@dataclass(frozen=True, slots=True)
class Case:
    """A finding, and what brings it about on `host` ('': by the arguments alone). `ends`: the exit code of a run."""

    key: str
    host: str
    severity: str
    says: str
    remedy: str
    spoil: Callable[[FakeHost], None] = lambda _: None
    more: tuple[str, ...] = ()
    ends: int = 24

    def __str__(self) -> str:
        return f"{self.key} {self.severity}"


def told(part: str, text: str, status: int = 0) -> Callable[[FakeHost], None]:
    def spoil(host: FakeHost) -> None:
        host.state.told[part] = f"{status} {text}"

    return spoil


def package(name: str, **fields: Any) -> Callable[[FakeHost], None]:
    def spoil(host: FakeHost) -> None:
        for field, value in fields.items():
            setattr(host.state.packages[name], field, value)

    return spoil


def service(name: str, *, enabled: bool) -> Callable[[FakeHost], None]:
    def spoil(host: FakeHost) -> None:
        host.state.services[name] = Service(active=False, enabled=enabled)

    return spoil


def without(word: str) -> Callable[[FakeHost], None]:
    def spoil(host: FakeHost) -> None:
        host.state.packages = {name: one for name, one in host.state.packages.items() if word not in name}

    return spoil


def ahead(seconds: int) -> Callable[[FakeHost], None]:
    return lambda host: told("clock", f"{time() + seconds:.9f}")(host)


def no_nova(host: FakeHost) -> None:
    del host.state.databases["nova"]


def keystone_held(host: FakeHost) -> None:
    for name in ("keystone", "python-keystone", "python-keystoneclient"):
        host.state.packages[name].selection = "hold"


CASES = (
    Case("clock-skew", "cmp1", "blocking", "s ahead of the controller's", "timedatectl set-ntp true", ahead(400)),
    Case("clock-skew", "cmp1", "advisory", "s behind the controller's", "timedatectl", ahead(-60)),
    Case(
        "disk-space", "cmp1", "blocking", "/ has 1 MB free", "apt-get clean", told("rooms", ROOM.format(10**6, 10**6))
    ),
    Case(
        "disk-space",
        "cmp1",
        "advisory",
        "/ has 18 MB free",
        "apt-get clean",
        told("rooms", ROOM.format(18 * 10**6, 10**6)),
    ),
    Case(
        "inodes", "cmp1", "blocking", "/ has 9 inodes free", "du --inodes -x /", told("rooms", ROOM.format(10**12, 9))
    ),
    Case("inodes", "cmp1", "advisory", "by estimate", "du --inodes -x /", told("rooms", ROOM.format(10**12, 9000))),
    Case(
        "database-too-big",
        "ctl1",
        "blocking",
        "has about 10000000 MB, and",
        "du -x /var",
        told("databases", "".join(f"{one}\t{10**13}\n" for one in hosts.DATABASES)),
    ),
    Case(
        "database-unreachable",
        "ctl1",
        "blocking",
        "ERROR 2002",
        "systemctl status mariadb",
        told("databases", "ERROR 2002 (HY000): Can't connect", 1),
    ),
    Case("database-missing", "ctl1", "blocking", "has no database nova", "SHOW DATABASES", no_nova),
    Case(
        "database-host-missing",
        "",
        "blocking",
        "cannot be dumped",
        "into that group",
        more=("--set", "group_db=nobody"),
    ),
    Case("package-manager-locked", "cmp1", "advisory", "by dpkg (pid 77)", "ps -fp 77", told("work", "lock 77 dpkg")),
    Case(
        "script-orphaned",
        "cmp1",
        "blocking",
        "nova.postinst (pid 78)",
        "ps -fp 78",
        told("work", "script 78 nova.postinst"),
    ),
    Case(
        "upgrade-by-others",
        "cmp1",
        "blocking",
        "unattended-upgr (pid 79)",
        "ps -fp 79",
        told("work", "tool 79 unattended-upgr"),
    ),
    Case("upgrade-by-others", "cmp1", "advisory", "apt-get (pid 80)", "ps -fp 80", told("work", "tool 80 apt-get")),
    Case("package-broken", "cmp1", "blocking", "less", "dpkg --configure -a", package("less", state="half-configured")),
    Case("package-held", "ctl1", "advisory", "keystone, python-keystone", "apt-mark unhold keystone", keystone_held),
    Case(
        "no-solution",
        "cmp1",
        "blocking",
        "Held packages",
        "apt-mark showhold",
        package("nova-compute", selection="hold"),
        ends=20,
    ),
    Case(
        "version-unoffered",
        "cmp1",
        "advisory",
        "nova-compute 1:2013.2",
        "nothing: a run keeps it for the way back; only with keep: none in config.yaml, before: rollback escrow fetch",
        told("offered", ""),
    ),
    Case(
        "conffile-edited",
        "cmp1",
        "advisory",
        "/etc/nova/nova.conf",
        "nova.conf.dpkg-dist",
        told("edited", "/etc/nova/nova.conf: FAILED\n"),
    ),
    Case(
        "not-captured",
        "cmp1",
        "advisory",
        "restores it: /etc/geo.mmdb (303 MiB), /etc/a.bin (30 MiB)",
        "move it out of there",
        told("state", f"{30 << 20}\t/etc/a.bin\n{303 << 20}\t/etc/geo.mmdb\nrest of a name\n{256 << 20}\n"),
    ),
    Case(
        "state-too-big",
        "cmp1",
        "blocking",
        "would capture 257 MiB there",
        "du -xa /etc",
        told("state", f"{257 << 20}\n"),
    ),
    Case(
        "reboot-pending",
        "cmp1",
        "advisory",
        "for: linux-base",
        "systemctl reboot",
        told("asked", "linux-base\nlinux-base\n"),
    ),
    Case(
        "repository-unsigned",
        "cmp1",
        "advisory",
        "/etc/apt/sources.list.d/x.list",
        "signed-by",
        told("unchecked", "/etc/apt/sources.list.d/x.list\n"),
    ),
    Case(
        "repository-unreachable",
        "cmp1",
        "blocking",
        "does not have a Release file",
        "apt-get update",
        more=("--set", "new=nowhere"),
        ends=21,
    ),
    Case(
        "service-down",
        "cmp1",
        "blocking",
        "nova-compute should run",
        "journalctl -u nova-compute",
        service("nova-compute", enabled=True),
    ),
    Case(
        "service-off",
        "cmp1",
        "advisory",
        "nova-compute does not run",
        "start it before",
        service("nova-compute", enabled=False),
    ),
    Case(
        "last-compute",
        "cmp1",
        "advisory",
        "only host of compute-nodes",
        "bring up another one",
        service("nova-compute", enabled=False),
    ),
    Case("nothing-of-scenario", "net1", "advisory", "no package of this scenario", "its groups", without("quantum")),
    Case(
        "group-empty",
        "",
        "blocking",
        "did you mean 'network'",
        "--set group_network=",
        more=("--set", "group_network=networks"),
    ),
    Case("limit-may-split-stage", "", "advisory", "cmp2 left out", "--limit", more=("--limit", "!cmp2")),
    Case("stage-put-off", "", "advisory", "lift-cap is put off", "plan again", more=("--limit", "!cmp2")),
)
OF_OTHERS = ("drift", "host-unreachable", "journal-locked", "run-unfinished")


def test_every_finding_has_its_test() -> None:
    assert {case.key for case in CASES} | set(OF_OTHERS) | ELSEWHERE.keys() == {*WAIVABLE, *STRICT}


def spoil(site: Site, case: Case) -> None:
    """The last of the compute nodes is the one whose fellow was switched off."""
    fleet = open_fleet(site.directory / "hosts").hosts
    host = fleet["cmp2" if case.key == "last-compute" else case.host or "cmp1"]
    case.spoil(host)
    host.save()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_shown_with_its_remedy_and_blocks(havana: Site, case: Case) -> None:
    spoil(havana, case)
    before = open_fleet(havana.directory / "hosts").observable()
    blocks = case.severity == "blocking"
    shown = havana.json("check", NAME, *case.more, code=24 if blocks else 0)
    told_ = [one for one in shown["findings"] if (one["key"], one["host"]) == (case.key, case.host)]
    assert told_, shown
    assert told_[0]["severity"] == case.severity and not told_[0]["waived"]
    assert any(case.says in one["text"] and case.remedy in one["remedy"] for one in told_), told_
    assert open_fleet(havana.directory / "hosts").observable() == before
    if blocks:
        assert havana.call("run", NAME, *case.more, "--yes", "--force").exit_code == case.ends
        assert open_fleet(havana.directory / "hosts").observable() == before
        assert havana.json("history")["runs"] == []


def test_a_fleet_in_order_has_none(havana: Site) -> None:
    assert havana.json("check", NAME) == {"findings": [], "blocking": 0}


def test_a_host_that_is_not_reached_leaves_the_others_findings(havana: Site) -> None:
    havana.gone("net1")
    spoil(havana, Case("reboot-pending", "cmp1", "", "", "", told("asked", "linux-base\n")))
    found = havana.json("check", NAME, code=30)["findings"]
    assert [(one["key"], one["host"]) for one in found] == [("host-unreachable", "net1"), ("reboot-pending", "cmp1")]
    assert all(one["remedy"] for one in found)


def test_a_plan_that_a_host_drifted_from(havana: Site) -> None:
    assert havana.call("plan", NAME, "--out", "plan.json").exit_code == 0
    assert havana.json("check", "plan.json") == {"findings": [], "blocking": 0}
    spoil(havana, Case("drift", "cmp1", "", "", "", package("less", version="9")))
    (found,) = havana.json("check", "plan.json", code=24)["findings"]
    assert (found["key"], found["severity"]) == ("drift", "blocking")
    assert found["text"].endswith("on: cmp1") and "plan again" in found["remedy"]
    assert havana.call("run", "plan.json", "--yes", "--force").exit_code == 13


def test_an_unfinished_run(havana: Site) -> None:
    assert havana.call("run", NAME, "--yes", "--stop-after", "1").exit_code == 3
    run = havana.json("status")
    found = havana.json("check", NAME, code=24)["findings"]
    told_ = next(one for one in found if one["key"] == "run-unfinished")
    assert run["run"] in told_["text"] and f"resume {run['run']}" in told_["remedy"]
    assert havana.call("run", NAME, "--yes", "--force").exit_code == 12


@contextmanager
def another_controller(site: Site) -> Iterator[None]:
    """Another process that owns the journal."""
    ready, told_ = os.pipe()
    ask, end = os.pipe()
    if not (child := os.fork()):
        from nornir_upgrade.core.journal import owned

        with owned(site.directory / ".state" / "journal.db", "nornir-upgrade run x"):
            os.write(told_, b"!")
            os.read(ask, 1)
        os._exit(0)
    os.read(ready, 1)
    try:
        yield
    finally:
        os.write(end, b"!")
        os.waitpid(child, 0)


def test_another_controller_at_work(havana: Site) -> None:
    with another_controller(havana):
        found = havana.json("check", NAME, code=24)["findings"]
        (told_,) = [one for one in found if one["key"] == "journal-locked"]
        assert "'nornir-upgrade run x'" in told_["text"] and "wait for it" in told_["remedy"]
        assert havana.call("run", NAME, "--yes", "--force").exit_code == 11
    assert havana.json("check", NAME)["findings"] == []


# ---------------------------------------------------------------------- waived, and gone past


def waiving(site: Site, *keys: str) -> str:
    from importlib import resources

    text = resources.files("nornir_upgrade.scenarios").joinpath(f"{NAME}.yaml").read_text()
    path = site.directory / "mine.yaml"
    path.write_text(text.replace("\nquorums:", f"\nwaive: {json.dumps(keys)}\nquorums:"))
    return str(path)


def test_what_is_waived_is_shown_and_blocks_nothing(havana: Site) -> None:
    spoil(havana, next(case for case in CASES if case.key == "inodes"))
    mine = waiving(havana, "inodes")
    found = havana.json("check", mine)
    assert found["blocking"] == 0
    assert [(one["key"], one["severity"], one["waived"]) for one in found["findings"]] == [("inodes", "blocking", True)]
    shown = havana.call("check", mine).stdout
    assert "waived: cmp1: " in shown and "0 blocking, 0 advisory, 1 waived" in shown
    assert havana.call("run", mine, "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("key", "says"),
    [("inode", "there is no finding 'inode'"), ("package-broken", "'package-broken' cannot be waived")],
)
def test_a_key_that_cannot_be_waived_is_refused_with_its_line(havana: Site, key: str, says: str) -> None:
    result = havana.call("check", waiving(havana, "inodes", key))
    assert result.exit_code == 10
    assert "line " in result.stderr and "waive[1]: " in result.stderr and says in result.stderr


def test_force_goes_past_advisory_findings_without_asking(havana: Site) -> None:
    spoil(havana, next(case for case in CASES if case.key == "reboot-pending"))
    result = havana.call("run", NAME, "--yes", "--force")
    assert result.exit_code == 0, result.output
    assert "[reboot-pending]" in result.stderr


def test_a_person_is_asked_about_advisory_findings_once(havana: Site) -> None:
    spoil(havana, next(case for case in CASES if case.key == "reboot-pending"))
    code, shown = on_a_terminal(havana, "run", NAME, answer="n\n")
    assert code == 130 and "Preflight: 0 blocking, 1 advisory. Go on? [y/N]" in shown
    code, shown = on_a_terminal(havana, "run", NAME, "--force", answer="n\n")
    assert code == 130 and "[reboot-pending]" in shown
    assert "Go on?" not in shown and "Go ahead? [y/N]" in shown
    assert havana.json("history")["runs"] == []


def test_what_another_apt_is_at_is_its_work_and_not_broken(havana: Site) -> None:
    """dpkg holds the lock while packages are unpacked and not configured yet: nobody is to mend that."""
    found = open_fleet(havana.directory / "hosts").hosts["cmp1"]
    found.state.told["work"] = "0 lock 123 apt-get\n"
    found.state.packages["less"].state = "unpacked"
    found.save()
    told = havana.json("check", NAME, code=24)["findings"]
    (one,) = (one for one in told if one["severity"] == "blocking")
    assert (one["key"], one["host"]) == ("package-manager-locked", "cmp1")
    assert "apt-get (pid 123), and not wholly installed yet: less" in one["text"] and "ps -fp 123" in one["remedy"]


def test_a_command_for_each_edited_file_and_how_many_more() -> None:
    paths = tuple(f"/etc/nova/{number} {number}.conf" for number in range(7))
    lines = list(_comparing(paths, ".dpkg-dist"))
    assert lines[4:] == ["diff '/etc/nova/4 4.conf' '/etc/nova/4 4.conf.dpkg-dist'", "and so for 2 more"]
    shown = findings_in_text([Finding("conffile-edited", "cmp1", "advisory", "edited", "\n".join(lines[:2]))])
    assert all(line.startswith("    diff ") for line in shown.splitlines()[1:3])

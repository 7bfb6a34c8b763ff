"""Inspection: what real hosts answered reads as it should, and what is not whole is refused."""

from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.probe import Probe, Room, inspect, parse
from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.packaging.registry import manager_of
from tests.fake import hosts

CASES = Path(__file__).parents[2] / "cases" / "inspection"
ANSWERS = {family: (CASES / f"{family}.txt").read_text() for family in ("deb", "rpm")}


def read(family: str, text: str = "", asked: float = 0.0, answered: float = 9e9) -> Probe:
    return parse(text or ANSWERS[family], "ctl1", manager_of(family), asked, answered)


def clock(family: str) -> float:
    return float(ANSWERS[family].split("begin 0\n")[1].partition("\n")[0])


def test_a_debian_host() -> None:
    """With a cache on a disk of its own, a script left behind, a source that is trusted, and a restart that waits."""
    found = read("deb")
    rooms = {room.path: room for room in found.rooms}
    assert rooms["/var/cache/apt/archives"] == Room("/var/cache/apt/archives", "/var/cache/apt/archives", 8 << 20, 99)
    assert rooms["/usr"].mount == "/" and (rooms["/usr"].inodes or 0) > 1000
    assert [(one.doing, one.name) for one in found.at_work] == [("script", "sh")]
    configuration = ("cinder/cinder", "glance/glance-api", "keystone/keystone", "nova/nova", "quantum/quantum")
    assert found.edited == tuple(f"/etc/{name}.conf" for name in configuration)
    assert ("nova-api", "1:2013.2-0ubuntu1~cloud0") in (found.offered or ())
    assert found.sizes[PackageName("util-linux", "amd64")] == 4978 * 1024
    assert found.unchecked == ("/etc/apt/sources.list.d/own.list",)
    assert found.reboot == ("the host asks for it", "linux-base")
    assert found.databases == {"keystone": 98304, "nova": 49152}
    assert found.refused == ""
    assert found.large == (("/etc/geo.mmdb", 31457280),) and found.captured == 1290331


def test_an_rpm_host() -> None:
    """With a locked database, an automatic upgrade, and a repository whose signatures nobody checks."""
    found = read("rpm")
    assert {(one.doing, one.name) for one in found.at_work} == {("lock", "python3"), ("tool", "dnf-automatic")}
    assert "/etc/nova/nova.conf" in found.edited
    assert ("openstack-nova-api", "2013.2-2.el7") in (found.offered or ())
    assert found.unchecked == ("/etc/yum.repos.d/cloud-havana.repo",)
    assert found.reboot == ()
    assert found.databases == {"keystone": 98304, "nova": 49152}


def test_what_was_replaced_since_the_start_waits_for_a_restart() -> None:
    line = next(line for line in ANSWERS["rpm"].splitlines() if line.endswith(" systemd"))
    assert read("rpm", ANSWERS["rpm"].replace(line, "9795274322 systemd")).reboot == ("systemd",)


@pytest.mark.parametrize(("status", "offered"), [("0", True), ("1", False)])
@pytest.mark.parametrize("family", ["deb", "rpm"])
def test_indexes_that_cannot_be_asked_tell_nothing(family: str, status: str, offered: bool) -> None:
    text = ANSWERS[family].replace("===boundary offered 0", f"===boundary offered {status}")
    assert (read(family, text).offered is not None) == offered


def test_a_database_client_that_fails_is_quoted() -> None:
    found = read("deb", ANSWERS["deb"].replace("===boundary databases 0", "===boundary databases 1"))
    assert found.databases == {} and found.refused == "keystone 98304 nova 49152"


def test_a_warning_of_the_database_client_is_no_database() -> None:
    warning = "\n===boundary databases 0\nmariadb: Deprecated program name\n\n===boundary databases errors 0\n"
    found = read("deb", ANSWERS["deb"].replace("\n===boundary databases 0\n", warning))
    assert found.databases == {"keystone": 98304, "nova": 49152} and found.refused == ""
    found = read(
        "deb", ANSWERS["deb"].replace("\n===boundary databases 0\n", warning.replace("databases 0", "databases 1"))
    )
    assert "mariadb: Deprecated program name" in found.refused


@pytest.mark.parametrize(("asked", "answered", "skew"), [(-1, 1, 0), (-9, -5, 5), (5, 9, -5), (-2, -1, 1)])
def test_a_clock_is_wrong_by_what_no_delay_explains(asked: float, answered: float, skew: float) -> None:
    there = clock("deb")
    assert read("deb", asked=there + asked, answered=there + answered).skew == pytest.approx(skew)


def test_a_file_system_without_inodes() -> None:
    text = ANSWERS["deb"].replace("8388608    99    100 /var", "8388608     -      - /var")
    assert next(room for room in read("deb", text).rooms if "archives" in room.path).inodes is None


@pytest.mark.parametrize("family", ["deb", "rpm"])
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("inspection 1", "inspection 2", "line 1: no inspection of this version"),
        ("===boundary end 0\n", "", "cut off"),
        ("===boundary work 0", "===boundary rest 0", "lacks work"),
        ("===boundary sizes 0", "===boundary sizes 2", "sizes: the command ended with status 2"),
        ("===boundary clock 0", "tick\n===boundary clock 0", "clock: no time"),
        ("===boundary rooms 0", "/x\tmuch\n===boundary rooms 0", "rooms: no room: '/x\\tmuch'"),
        ("===boundary work 0", "x 1 y\n===boundary work 0", "work: no process: 'x 1 y'"),
        ("===boundary sizes 0", "x\n===boundary sizes 0", "sizes: no size of a package: 'x'"),
        ("===boundary databases 0", "x\n===boundary databases 0", "databases: no size of a database: 'x'"),
    ],
)
def test_what_is_not_whole_is_refused(family: str, old: str, new: str, says: str) -> None:
    text = ANSWERS[family].replace(
        f"\n{old}" if new.startswith("===") else old, f"\n{new}" if new.startswith("===") else new
    )
    with pytest.raises(InvalidInput) as refused:
        read(family, text)
    assert says in refused.value.message


def test_a_name_that_is_none_reaches_no_host(tmp_path: Path) -> None:
    host = hosts.place(hosts.bare("a"), tmp_path)
    with pytest.raises(InvalidInput, match="no name of a database"):
        inspect(host, "apt", ["x' OR '1"])


def test_a_host_in_order(tmp_path: Path) -> None:
    found = inspect(hosts.place(hosts.fleet()[0], tmp_path), "apt", ["nova", "nope"])
    assert (found.skew, found.at_work, found.edited, found.reboot, found.unchecked) == (0, (), (), (), ())
    assert list(found.databases) == ["nova"]

"""A plan rehearsed on throw-away layers of real hosts: what it finds, and that the hosts stay as they are."""

import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.core.filesystem import layer, layer_plan
from nornir_upgrade.core.packaging.deb.family import APT
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.prepare.rehearse import Rehearsal, parts, rehearse
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from tests.conftest import connect
from tests.lab.picture import differences, take
from tests.lab.site import ONE, SCENARIO, Site

pytestmark = pytest.mark.lab

T = TypeVar("T")
SOURCE = "/etc/apt/sources.list.d/shop.list"
# Names, owners, modes, times of change of inodes, links and contents of all that packages and we could write.
_BYTES = """\
find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/log -o -path /root \\) -prune \
  -o -printf '%p %y %s %U %G %m %l\\n' | sort
find /etc /usr /boot /opt /srv /var/lib /var/cache /var/spool -xdev -type f -printf '%p %C@\\n' | sort
find /etc /var/lib /var/cache -xdev -type f -print0 | sort -z | xargs -0 sha256sum
mount
"""
# What a running system writes by itself: systemd's clock and random seed, and our own connections' traces.
_ITSELF = (
    "/var/lib/systemd/",
    "/var/lib/private",
    "/var/tmp/systemd-private-",
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
)


def everything(lab: Lab, host: str) -> set[str]:
    said = lab.run(host, ["sh", "-c", _BYTES]).stdout.decode(errors="surrogateescape")
    return {line for line in said.splitlines() if not any(word in line for word in _ITSELF)}


@dataclass
class OneHost:
    """A fleet of a host."""

    host: SshHost
    names: tuple[str, ...] = ("h1",)

    def each(self, names: Sequence[str], act: Callable[[Host], T]) -> Mapping[str, T | Exception]:
        assert tuple(names) == self.names
        try:
            return {"h1": act(self.host)}
        except Exception as error:
            return {"h1": error}


@dataclass
class Bench:
    """Packages made here for a repository in a directory of h1."""

    lab: Lab
    directory: Path
    host: SshHost

    def offer(self, name: str, version: str, postinst: str = "", **fields: str) -> None:
        """Afterwards the repository has the package as well."""
        root = self.directory / f"{name}_{version}_all"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/share" / name).mkdir(parents=True)
        (root / "usr/share" / name / "version").write_text(version)
        control = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "Lab <lab@lab.invalid>"}
        text = "".join(f"{key}: {value}\n" for key, value in {**control, **fields, "Description": "test"}.items())
        (root / "DEBIAN/control").write_text(text)
        (root / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{postinst}\n")
        (root / "DEBIAN/postinst").chmod(0o755)
        archive = root.with_suffix(".deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, archive], check=True, capture_output=True)
        data = archive.read_bytes()
        self.lab.run("h1", ["sh", "-c", 'mkdir -p /srv/shop && cat > "$1"', "sh", f"/srv/shop/{archive.name}"], data)
        text += f"Filename: ./{archive.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
        self.lab.run("h1", ["sh", "-c", "cat >> /srv/shop/Packages"], text.encode())

    def rehearse(self, tmp_path: Path, *names: str, version: str = "2") -> Rehearsal:
        """The rehearsal of a plan in which `names` come to `version`."""
        want = tuple(PackageWant(name, "all", version, "installed") for name in names)
        steps = (SetRepository(SOURCE, "deb [trusted=yes] file:/srv/shop ./\n"), SetPackages(want))
        plan = Plan("forward", "shop", (Wave("one", (Work("h1", steps),)),))
        (found,) = rehearse(OneHost(self.host), parts(plan), Store(tmp_path / "store"), Screen(Flags()))  # type: ignore[arg-type]
        return found


# What a maintainer script meets in a layer. It fails where it could reach a service, a network or a disk.
_LOOKS_AROUND = """\
set -e
[ ! -e /run/systemd/system ]
[ -z "$(grep eth0 /proc/net/dev)" ]
status=0; /usr/sbin/policy-rc.d ssh start || status=$?; [ $status = 101 ]
[ "$(command -v update-grub)" = /run/nornir-upgrade-idle/update-grub ]
[ ! -w /proc/sys/kernel/sysrq ]
[ -z "$(find /dev -type b)" ]
systemctl stop ssh
: > /etc/shop-was-here
rm -rf /etc/ssh
"""


@pytest.fixture
def bench(nodes: Lab, tmp_path: Path) -> Iterator[Bench]:
    host = connect(nodes, "h1")
    bench = Bench(nodes, tmp_path / "packages", host)
    bench.offer("shop", "1")
    nodes.run("h1", ["sh", "-c", "dpkg -i /srv/shop/shop_1_all.deb"])
    bench.offer("shop", "2", postinst="echo 'shop: the schema is too old' >&2; exit 3", Depends="shop-data")
    bench.offer("shop-data", "2", postinst="echo kept > /etc/shop-data.conf")
    bench.offer("shop-data", "3", postinst=_LOOKS_AROUND)
    yield bench
    host.close()


def test_a_maintainer_script_that_fails_is_found_and_the_host_is_not_touched(bench: Bench, tmp_path: Path) -> None:
    before = everything(bench.lab, "h1")
    assert len(before) > 5000
    found = bench.rehearse(tmp_path, "shop", "shop-data")
    assert found.finding and found.finding.key == "rehearsal-failed" and found.finding.severity == "blocking"
    assert "forward" in found.finding.text and "shop: the schema is too old" in found.finding.text
    assert everything(bench.lab, "h1") ^ before == set()


def test_a_plan_that_works_is_told_there_and_back_without_a_network(bench: Bench, tmp_path: Path) -> None:
    before = everything(bench.lab, "h1")
    found = bench.rehearse(tmp_path, "shop-data", version="3")
    assert str(found) == "h1: rehearsed: 1 packages forward and back, 0 problems"
    assert everything(bench.lab, "h1") ^ before == set()


def test_what_a_lost_controller_left_goes_with_the_next_call(bench: Bench) -> None:
    before = everything(bench.lab, "h1")
    ground = layer.survey(bench.host, APT.probe.BYTES)
    lost = layer.opened(bench.host, ground, ground.places)
    stage = lost.__enter__()
    stage.write("/etc/left", b"behind")
    bench.lab.run("h1", ["pgrep", "-f", "layer-[0-9a-f]"])
    with layer.opened(bench.host, ground, ground.places) as other:
        assert [one.kind for one in other.stat(("/etc/left",))] == ["absent"]
        assert stage.run(("true",), check=False).status != 0
    assert bench.lab.run("h1", ["pgrep", "-f", "layer-[0-9a-f]"], check=False).returncode == 1
    assert everything(bench.lab, "h1") ^ before == set()


def test_a_keeper_that_is_killed_leaves_nothing(bench: Bench) -> None:
    before = everything(bench.lab, "h1")
    ground = layer.survey(bench.host, APT.probe.BYTES)
    with layer.opened(bench.host, ground, ground.places):
        bench.lab.run("h1", ["sh", "-c", f"kill -9 $(cat {layer_plan.HOME}/pid)"])
        deadline = time.monotonic() + 30
        while bench.lab.run("h1", ["test", "-e", layer_plan.HOME], check=False).returncode == 0:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert everything(bench.lab, "h1") ^ before == set()


def test_what_a_power_failure_left_goes_with_the_next_call(bench: Bench) -> None:
    before = everything(bench.lab, "h1")
    left = f"{layer_plan.HOME}/files/upper.1"
    bench.lab.run("h1", ["sh", "-c", f"mkdir -p {left} && cd {layer_plan.HOME} && echo $PWD/files > at && : > lock"])
    layer.clear(bench.host)
    assert everything(bench.lab, "h1") ^ before == set()


def test_a_host_whose_overlays_are_refused_says_so(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer, "_KEEPER", layer._KEEPER.replace("-t overlay", "-t nooverlay"))
    found = bench.rehearse(tmp_path, "shop-data", version="3")
    assert found.finding and found.finding.key == "rehearsal-impossible"
    assert "overlay of /: mount: " in found.finding.text and "--rehearse" in found.finding.remedy
    assert bench.lab.run("h1", ["test", "-e", layer_plan.HOME], check=False).returncode == 1


def test_the_command_line_rehearses_a_scenario(small: Site) -> None:
    before = take(small.lab, ["cmp1"])
    done = small.upgrade("plan", SCENARIO, "--limit", "cmp1", "--rehearse")
    assert "cmp1: rehearsed: " in done.err and "packages forward and back, 0 problems" in done.err
    assert differences(before, take(small.lab, ["cmp1"])) == []


def test_a_run_and_its_way_back_are_rehearsed_before_they_begin(small: Site) -> None:
    before = take(small.lab, ["cmp1"])
    forward = small.forward(*ONE, "--rehearse").err
    assert "packages forward and back, 0 problems" in forward.partition(" begins")[0]
    back = small.rollback("apply", "--yes", *ONE, "--rehearse").err
    assert "cmp1: rehearsed: " in back.partition(" begins")[0] and "packages, 0 problems" in back
    assert differences(before, take(small.lab, ["cmp1"])) == []


def test_ctrl_c_ends_a_rehearsal_and_leaves_nothing(small: Site) -> None:
    before = take(small.lab, ["cmp1"])
    going = small.start("nornir-upgrade", "plan", SCENARIO, "--limit", "cmp1", "--rehearse")
    small.await_true(
        lambda: small.lab.run("cmp1", ["test", "-e", f"{layer_plan.HOME}/ready"], check=False).returncode == 0
    )
    going.interrupt()
    done = going.end()
    assert done.status == 130 and "Stopping the rehearsal" in done.err, done.said
    assert small.lab.run("cmp1", ["test", "-e", layer_plan.HOME], check=False).returncode == 1
    assert differences(before, take(small.lab, ["cmp1"])) == []


def test_the_command_line_rehearses_a_scenario_on_rpm_hosts(rpm_small: Site) -> None:
    before = take(rpm_small.lab, ["rcmp1"])
    done = rpm_small.upgrade("plan", SCENARIO, "--limit", "rcmp1", "--set", "group_network=", "--rehearse")
    assert "rcmp1: rehearsed: " in done.err and "packages forward and back, 0 problems" in done.err
    assert differences(before, take(rpm_small.lab, ["rcmp1"])) == []

"""Packages on a real host: previews that change nothing, services that stay stopped, holds and marks that stay as they are."""

from collections.abc import Iterator

import pytest

from nornir_upgrade.core.errors import CommandFailed, NoSolution, Unobtainable
from nornir_upgrade.core.packaging.deb import transaction
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.preview import preview
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab import provision
from nornir_upgrade.lab.releases import ICEHOUSE
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.repositories import SetRepository
from tests.conftest import connect
from tests.lab.picture import differences, take
from tests.lab.site import SCENARIO, Site

pytestmark = pytest.mark.lab

NEW_SOURCE = "/etc/apt/sources.list.d/cloud-icehouse.list"
NEW_LINE = f"{provision.source_line(ICEHOUSE)}\n"
PACKAGES = ("nova-compute", "nova-common", "python-nova", "python-oslo.messaging")
WANT = tuple(
    PackageWant(name, "all", ICEHOUSE.package(name).version, "installed", name != "nova-compute") for name in PACKAGES
)
POLICY = "/usr/sbin/policy-rc.d"
# Names, sizes, owners, modes, times of change of inodes, and contents: whatever is written shows. Of places for temporary files
# the names alone, without systemd's own, which come and go.
_BYTES = """\
find /etc/apt /var/lib/apt /var/cache/apt /var/lib/dpkg -xdev -printf '%p %y %s %U %m %C@ %l\\n' | sort
find /etc/apt /var/lib/apt /var/cache/apt /var/lib/dpkg -xdev -type f -print0 | sort -z | xargs -0 sha256sum
find /var/tmp /tmp -xdev | grep -v /systemd-private- | sort
"""


@pytest.fixture
def cmp1(small: Site) -> Iterator[SshHost]:
    """A compute node of the old release, over SSH."""
    host = connect(small.lab, "cmp1")
    yield host
    host.close()


def everything(site: Site) -> set[str]:
    return set(site.text("cmp1", "sh", "-c", _BYTES).splitlines())


# ---------------------------------------------------------------------- previews


def test_a_preview_changes_nothing_on_the_host(small: Site, cmp1: SshHost) -> None:
    before = everything(small)
    assert len(before) > 500
    found = preview(cmp1, {NEW_SOURCE: NEW_LINE}, {"node": ("nova-compute",)})["node"]
    assert {(change.name, change.new) for change in found.changes} == {(one.name, one.version) for one in WANT}
    assert preview(cmp1, {}, {"node": ("nova-compute",)})["node"].changes == ()
    with pytest.raises(Unobtainable, match="nova-conpute"):
        preview(cmp1, {NEW_SOURCE: NEW_LINE}, {"node": ("nova-conpute",)})
    with pytest.raises(Unobtainable, match="9:9"):
        preview(cmp1, {NEW_SOURCE: NEW_LINE}, {"node": ("nova-compute=9:9",)})
    assert everything(small) ^ before == set()


def test_a_repository_that_is_not_there_is_told_with_its_address(small: Site, cmp1: SshHost) -> None:
    before = everything(small)
    gone = NEW_LINE.replace("/icehouse icehouse", "/grizzly icehouse")
    with pytest.raises(Unobtainable, match=r"(?s)apt-get update.*/grizzly.*404"):
        preview(cmp1, {NEW_SOURCE: gone}, {"node": ("nova-compute",)})
    with pytest.raises(Unobtainable, match=r"(?s)apt-get update.*(not signed|NO_PUBKEY)"):
        preview(
            cmp1, {NEW_SOURCE: NEW_LINE.replace("lab-archive", "debian-archive-keyring")}, {"node": ("nova-compute",)}
        )
    assert everything(small) ^ before == set()


def test_a_plan_changes_nothing_on_the_host_and_tells_of_a_bad_archive(small: Site) -> None:
    small.lab.run("cmp1", ["apt-cache", "policy"])  # root's questions bring apt's cache up to date, where it is not
    before = everything(small)
    small.upgrade("plan", SCENARIO, "--limit", "cmp1", "--detailed-exitcode", status=100)
    refused = small.upgrade(
        "plan", SCENARIO, "--limit", "cmp1", "--set", "archive=http://10.99.0.1:8000/gone", status=21
    )
    assert "cmp1" in refused.err and "http://10.99.0.1:8000/gone/icehouse" in refused.err and "404" in refused.err
    assert everything(small) ^ before == set()


# ---------------------------------------------------------------------- services meanwhile


@pytest.fixture
def offered(cmp1: SshHost, small: Site) -> Store:
    """The new release is offered to cmp1. The store belongs to the test."""
    store = Store(small.state / "store")
    SetRepository(NEW_SOURCE, NEW_LINE).apply(cmp1, store)
    return store


def _stop(site: Site) -> None:
    site.lab.run("cmp1", ["systemctl", "stop", "nova-compute"])


def _active(site: Site) -> str:
    return site.text("cmp1", "systemctl", "is-active", "nova-compute").strip()


def test_a_stopped_service_stays_stopped_while_its_package_changes(small: Site, cmp1: SshHost, offered: Store) -> None:
    _stop(small)
    started = small.text("cmp1", "systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "nova-compute")
    SetPackages(WANT, keep_stopped=("nova-compute",)).apply(cmp1, offered)
    assert _active(small) == "inactive"
    assert small.text("cmp1", "systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "nova-compute") == started
    assert small.text("cmp1", "ls", POLICY, f"{POLICY}.new") == ""
    assert small.text("cmp1", "systemctl", "is-enabled", "nova-compute") == "enabled\n"


def test_without_that_its_package_starts_it(small: Site, cmp1: SshHost, offered: Store) -> None:
    _stop(small)
    SetPackages(WANT).apply(cmp1, offered)
    assert _active(small) == "active"


def test_a_guard_that_a_crash_left_is_removed_and_an_administrators_is_not(small: Site, cmp1: SshHost) -> None:
    mark = transaction.guarded(("true",), ("nova-compute",))[4].splitlines()[1]
    stale = f"#!/bin/sh\n{mark}\nexit 101\n"
    for text, stays in ((stale, False), ("#!/bin/sh\nexit 101\n", True)):
        cmp1.write(POLICY, text.encode(), mode="0755")
        transaction.wait_until_quiet(cmp1)
        assert (small.text("cmp1", "ls", POLICY) == f"{POLICY}\n") is stays


def test_an_administrators_policy_that_lets_the_service_start_is_refused(
    small: Site, cmp1: SshHost, offered: Store
) -> None:
    cmp1.write(POLICY, b"#!/bin/sh\nexit 0\n", mode="0755")
    with pytest.raises(CommandFailed, match=r"policy-rc\.d of this host lets nova-compute\.service start"):
        SetPackages(WANT, keep_stopped=("nova-compute",)).apply(cmp1, offered)
    assert "havana" in small.text("cmp1", "curl", "-s", "http://localhost:18003/")
    assert small.text("cmp1", "cat", POLICY) == "#!/bin/sh\nexit 0\n"


# ---------------------------------------------------------------------- marks


def test_a_hold_and_automatic_marks_survive_the_way_forward_and_back(site: Site) -> None:
    before = take(site.lab, ["cmp2"])
    assert before["cmp2"]["holds"] == {"less": "there"}
    manual = {"nova-compute"}
    site.forward("--limit", "cmp2")
    there = take(site.lab, ["cmp2"])["cmp2"]
    assert there["holds"] == before["cmp2"]["holds"]
    assert there["auto"].keys() - before["cmp2"]["auto"].keys() == {"python-oslo.messaging"}
    assert before["cmp2"]["auto"].keys() <= there["auto"].keys() and not manual & there["auto"].keys()
    site.rollback("apply", "--limit", "cmp2", "--yes")
    assert differences(before, take(site.lab, ["cmp2"])) == []


def test_a_held_package_that_others_need_newer_is_told_and_nothing_is_changed(small: Site) -> None:
    small.lab.run("cmp1", ["apt-mark", "hold", "nova-common"])
    before = take(small.lab, ["cmp1"])
    refused = small.forward("--limit", "cmp1", status=NoSolution.exit_code)
    assert "cmp1: apt-get -s for compute-nodes" in refused.err and "apt-mark showhold" in refused.err
    assert "nova-compute : Depends: nova-common" in refused.err and small.runs() == []
    assert differences(before, take(small.lab, ["cmp1"])) == []

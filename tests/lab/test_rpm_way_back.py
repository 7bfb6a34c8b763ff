"""The way back of rpm hosts through the command line: told in every form, taken whole and in part, and to a release."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from nornir_upgrade.lab.rpm.releases import HAVANA_RPM, ICEHOUSE_RPM
from tests.lab.picture import Picture, differences, take
from tests.lab.site import NOT_KEPT, RPM_GROUPS, Site

pytestmark = pytest.mark.lab

OLD, NEW = HAVANA_RPM.version, ICEHOUSE_RPM.version
ALONE = ("--set", "group_network=")
RCMP1 = ("--limit", "rcmp1")
NOVA = {"openstack-nova-common", "openstack-nova-compute", "python-nova"}


@pytest.fixture
def one(rpm_site: Site) -> Site:
    """As `rpm_site`, with rcmp1 at icehouse."""
    rpm_site.configure(ours=NOT_KEPT)
    rpm_site.forward(*RCMP1, "--set", "group_control=", "--set", "group_db=", *ALONE)
    return rpm_site


@pytest.fixture
def lost(rpm_site: Site) -> Iterator[str]:
    """A package of which havana's repository has no version any more; it is whole again afterwards."""
    place = rpm_site.lab.repositories / "rpm/havana"
    kept = shutil.copytree(place, place.with_name("kept"), dirs_exist_ok=True)
    (package,) = place.rglob("python-nova-2013*.rpm")
    package.unlink()
    subprocess.run(("createrepo_c", "-q", str(place)), check=True)
    yield "python-nova"
    shutil.rmtree(place)
    kept.rename(place)


def assert_as_before(site: Site, before: Picture) -> None:
    assert differences(before, take(site.lab, before)) == []


def versions(site: Site, host: str) -> dict[str, str]:
    said = site.text(host, "rpm", "-qa", "--qf", "%{NAME} %{VERSION}-%{RELEASE}\n")
    return dict(line.split() for line in said.splitlines() if not line.startswith(("gpg-pubkey", "kernel-core")))


@pytest.mark.soak
def test_a_whole_cloud_of_rpm_hosts_goes_forward_and_back(rpm_site: Site) -> None:
    before = take(rpm_site.lab, RPM_GROUPS)
    rpm_site.forward(*ALONE)
    assert versions(rpm_site, "rctl1")["openstack-neutron"] == NEW
    told = rpm_site.rollback("compute", "-o", "json").document["manifests"]
    assert {one["host"]: one["family"] for one in told} == dict.fromkeys(RPM_GROUPS, "rpm")
    (control,) = (one for one in told if one["host"] == "rctl1")
    actions = {f"{one['name']} {one['slot']}".strip(): one["action"] for one in control["changes"]}
    assert actions["openstack-quantum"] == "install" and actions["openstack-neutron"] == "remove"
    assert actions["kernel-core 5.14.0-70.13.1.el9"] == "keep"
    text = rpm_site.rollback("compute").out
    assert f"openstack-quantum={OLD}" in text and "openstack-neutron-" in text.splitlines()
    assert "has rpm packages" in rpm_site.rollback("compute", "-o", "apt", status=10).err
    lines = [line for line in rpm_site.rollback("compute", "-o", "dnf").out.splitlines() if not line.startswith("#")]
    assert len(lines) == 3 and all(line.endswith("history replay /dev/stdin") for line in lines)
    why = rpm_site.rollback("compute", "--explain", "openstack-neutron").out
    assert f"openstack-neutron:noarch remove, {NEW} -> not installed: not there before" in why

    back = rpm_site.rollback("apply", "--restore-db", "--yes")
    assert "Differs:" not in back.out
    assert_as_before(rpm_site, before)
    assert "Nothing to do" in rpm_site.rollback("apply", "--restore-db", "--yes").out
    assert rpm_site.rollback("diff", "last", "--detailed-exitcode").out.strip() == "No difference."


def test_where_a_version_is_gone_what_was_agreed_to_is_done_and_the_rest_when_it_can(one: Site, lost: str) -> None:
    there = take(one.lab, ["rcmp1"])
    computed = one.rollback("compute", *RCMP1, status=21)
    assert f"{lost}={OLD} is in no repository" in computed.err and "openstack-nova-compute" in computed.err
    why = one.rollback("compute", *RCMP1, "--explain", "openstack-nova-compute", status=21).out
    assert f"openstack-nova-common={OLD} needs {lost} = {OLD}" in why
    refused = one.rollback("apply", *RCMP1, "--yes", status=21)
    assert "--missing keep" in refused.err
    assert differences(there, take(one.lab, ["rcmp1"])) == []
    done = one.rollback("apply", *RCMP1, "--missing", "keep", "--yes")
    assert "Not as in the snapshot, as announced:" in done.out and "Differs:" not in done.out
    found = versions(one, "rcmp1")
    assert {name for name, version in found.items() if version == NEW} == NOVA


@pytest.mark.soak  # a minute; its like with dpkg runs each time
def test_a_part_goes_back_and_the_rest_after_it(rpm_site: Site) -> None:
    before = take(rpm_site.lab, RPM_GROUPS)
    rpm_site.forward(*ALONE)
    done = rpm_site.rollback("apply", "--limit", "rctl1", "--only", "openstack-quantum", "--restore-db", "--yes")
    assert "comes along" in done.err
    found = versions(rpm_site, "rctl1")
    assert found["openstack-quantum"] == OLD and "openstack-neutron" not in found and found["openstack-keystone"] == NEW
    rpm_site.rollback("apply", "--restore-db", "--yes")
    assert_as_before(rpm_site, before)


def test_to_a_release_that_the_repositories_offer(one: Site) -> None:
    path = "/etc/yum.repos.d/cloud-havana.repo"
    text = one.text("rcmp2", "cat", path)
    one.lab.run("rcmp1", ["tee", path], text.encode())
    where = (*RCMP1, "--release", "havana", "--only", "*nova*")
    changes = one.rollback("compute", *where, "-o", "json").document["manifests"][0]["changes"]
    assert {change["name"] for change in changes if change["action"] == "downgrade"} == NOVA
    assert {change["target"] for change in changes if change["name"] in NOVA} == {OLD}
    line = one.rollback("compute", *where, "-o", "dnf").out
    assert line.startswith("dnf -y install --allowerasing ") and f"python-nova-{OLD}.noarch" in line
    whole = one.rollback("compute", *RCMP1, "--release", "havana", status=21)
    assert "systemd: no systemd from havana" in whole.err and f"python-nova={OLD}" in whole.out.splitlines()

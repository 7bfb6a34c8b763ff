"""The provisioned RPM hosts: the services of the Debian ones, and packages that dnf takes to Icehouse, and not all the way back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nornir_upgrade.lab import seeds
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.rpm import provision
from nornir_upgrade.lab.rpm.fleet import RPM_FLEET, RPM_INSTALLED
from nornir_upgrade.lab.rpm.releases import HAVANA_RPM, ICEHOUSE_RPM, JUNO_RPM, RpmPackage, RpmRelease

pytestmark = pytest.mark.lab

NAMES = tuple(host.name for host in RPM_FLEET)
EXACT = "%{NAME}-%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n"
LOG = "/var/log/lab-scriptlets.log"
DNF = ("dnf", "-q", "-y")


@pytest.fixture
def hosts(rpm_fleet: Lab) -> Iterator[Lab]:
    """The RPM hosts as they were provisioned, whatever the test before did to them."""
    yield rpm_fleet
    rpm_fleet.reset(*NAMES)


def text(lab: Lab, host: str, *argv: str) -> str:
    return lab.run(host, argv).stdout.decode()


def ask(lab: Lab, host: str, port: int) -> tuple[int, dict[str, Any]]:
    """HTTP status (0: nobody answers) and body."""
    argv = ("curl", "--silent", "--max-time", "10", "--write-out", "\n%{http_code}", f"http://localhost:{port}/")
    body, _, status = lab.run(host, argv, check=False).stdout.decode().rpartition("\n")
    return int(status), json.loads(body) if body else {}


def installed(lab: Lab, host: str) -> set[str]:
    """Name and version of every package that came from a repository of the lab."""
    found = text(lab, host, "rpm", "-qa", "--qf", f"%{{VENDOR}} {EXACT}").splitlines()
    return {line.partition("Lab Cloud ")[2] for line in found if line.startswith("Lab Cloud ")}


def offer(lab: Lab, release: RpmRelease, *names: str) -> None:
    """Afterwards the release's repository is enabled on these hosts."""
    for host in names or NAMES:
        path, data = provision.repository_path(release), provision.repository_file(release)
        lab.run(host, ["tee", path], data.encode())


def exact(package: RpmPackage) -> str:
    return f"{package.name}-{package.evr}"


def units(release: RpmRelease) -> list[str]:
    """What runs on rctl1."""
    packages = [package for package in release.packages if package.services and "compute" not in package.name]
    return [f"{unit}.service" for package in packages for unit in package.units]


def upgrade(lab: Lab, release: RpmRelease) -> None:
    """Takes rctl1 to the release as its notes say: everything stopped, packages, schemas, everything started."""
    offer(lab, release, "rctl1")
    lab.run("rctl1", ["systemctl", "stop", "openstack-*", "quantum-*", "neutron-*"])
    lab.run("rctl1", [*DNF, "upgrade"])
    for project in release.projects:
        assert text(lab, "rctl1", project.manage, *project.sync) == f"{project.schema}\n"
    lab.run("rctl1", ["systemctl", "enable", "--now", *units(release)])


def assert_all_answer(lab: Lab, release: RpmRelease) -> None:
    for project in release.projects:
        for service in project.services:
            if service.schema_bound:
                status, body = ask(lab, "rctl1", service.port)
                assert (status, body["service"], body["version"]) == (200, service.name, release.version), body
                assert body["schema"] == project.schema
                assert body["rows"] == {project.table: seeds.count(project.database, project.table)}


def test_every_service_answers_and_nothing_of_debians_is_left(hosts: Lab) -> None:
    assert_all_answer(hosts, HAVANA_RPM)
    for host in NAMES:
        assert text(hosts, host, "systemctl", "is-system-running") == "running\n"
        assert {exact(HAVANA_RPM.package(name)) for name in RPM_INSTALLED[host]} <= installed(hosts, host)
        assert text(hosts, host, "dnf", "-q", "check") == ""
        gone = ["sh", "-c", "command -v dpkg apt-get || ls -d /var/lib/dpkg /etc/apt"]
        assert hosts.run(host, gone, check=False).returncode != 0
    for host in ("rcmp1", "rcmp2"):
        assert ask(hosts, host, 18003)[1]["version"] == HAVANA_RPM.version
    assert "less-0:590" in text(hosts, "rcmp2", *DNF, "versionlock", "list")
    reason = ("repoquery", "--installed", "--qf", "%{reason}", "openstack-nova-compute", "openstack-nova-common")
    assert text(hosts, "rcmp1", "dnf", "-q", *reason).split() == ["dependency", "user"]


def test_a_second_up_changes_nothing(hosts: Lab) -> None:
    before = text(hosts, "rctl1", "systemctl", "show", "-p", "MainPID", "openstack-keystone")
    provision.up(hosts)
    assert text(hosts, "rctl1", "systemctl", "show", "-p", "MainPID", "openstack-keystone") == before


def test_a_package_without_the_labs_signature_is_refused(hosts: Lab) -> None:
    offer(hosts, ICEHOUSE_RPM, "rcmp1")
    hosts.run("rcmp1", ["sh", "-c", "rpm -e gpg-pubkey; echo > /etc/pki/rpm-gpg/RPM-GPG-KEY-lab"])
    done = hosts.run("rcmp1", [*DNF, "upgrade"], check=False)
    assert done.returncode != 0 and b"GPG" in done.stderr
    assert exact(HAVANA_RPM.package("openstack-nova-compute")) in installed(hosts, "rcmp1")


def test_dnf_takes_the_controller_to_icehouse_and_on_to_juno(hosts: Lab) -> None:
    upgrade(hosts, ICEHOUSE_RPM)
    assert_all_answer(hosts, ICEHOUSE_RPM)
    here = {package for package in installed(hosts, "rctl1") if "kernel" not in package}
    assert here == {exact(p) for p in ICEHOUSE_RPM.packages if not p.kernel and "compute" not in p.name}
    kernels = {exact(release.package("kernel-core")) for release in (HAVANA_RPM, ICEHOUSE_RPM)}
    assert {package for package in installed(hosts, "rctl1") if "kernel" in package} == kernels
    found = text(hosts, "rctl1", "find", "/etc", "-name", "*.rpmnew", "-o", "-name", "*.rpmsave").split()
    assert {"/etc/nova/nova.conf.rpmnew", "/etc/quantum/quantum.conf.rpmsave"} <= set(found)
    shipped = text(hosts, "rctl1", "cat", "/etc/neutron/neutron.conf.rpmnew")
    assert shipped.startswith("# Neutron, Icehouse")
    assert text(hosts, "rctl1", "cat", "/etc/neutron/neutron.conf").startswith("# Quantum, Havana")
    upgrade(hosts, JUNO_RPM)
    assert_all_answer(hosts, JUNO_RPM)


def test_packages_neither_enable_nor_start_the_renamed_services(hosts: Lab) -> None:
    offer(hosts, ICEHOUSE_RPM, "rctl1")
    hosts.run("rctl1", [*DNF, "upgrade", "openstack-quantum"])
    state = text(hosts, "rctl1", "systemctl", "list-unit-files", "--no-legend", "neutron-*", "quantum-*").split()
    assert state[::3] == ["neutron-dhcp-agent.service", "neutron-l3-agent.service", "neutron-server.service"]
    assert set(state[1::3]) == {"disabled"}
    assert ask(hosts, "rctl1", 9696)[0] == 0


def test_an_edited_conffile_stays_and_the_new_one_lies_beside_it(hosts: Lab) -> None:
    hosts.run("rcmp1", ["sh", "-c", "echo '# ours' >> /etc/nova/nova.conf"])
    offer(hosts, ICEHOUSE_RPM, "rcmp1")
    hosts.run("rcmp1", [*DNF, "upgrade"])
    assert text(hosts, "rcmp1", "cat", "/etc/nova/nova.conf").endswith("# ours\n")
    assert text(hosts, "rcmp1", "cat", "/etc/nova/nova.conf.rpmnew").startswith("# Nova, Icehouse")
    log = text(hosts, "rcmp1", "cat", LOG).splitlines()
    order = [line for line in log if " openstack-nova-compute " in line][-3:]
    assert order == [
        f"{word} openstack-nova-compute {evr}"
        for word, evr in (
            ("post", f"{ICEHOUSE_RPM.version} 2"),
            ("preun", f"{HAVANA_RPM.version} 1"),
            ("postun", f"{HAVANA_RPM.version} 1"),
        )
    ]


def test_a_downgrade_of_the_single_packages_fails_or_leaves_a_mixed_state(hosts: Lab) -> None:
    before = installed(hosts, "rctl1")
    upgrade(hosts, ICEHOUSE_RPM)
    old_name = exact(HAVANA_RPM.package("openstack-quantum"))
    refused = hosts.run("rctl1", [*DNF, "install", old_name], check=False)
    assert refused.returncode != 0 and b"obsoletes openstack-quantum" in refused.stderr
    hosts.run("rctl1", [*DNF, "downgrade", "openstack-*", "python-*"])
    mixed = installed(hosts, "rctl1")
    assert exact(HAVANA_RPM.package("openstack-nova-api")) in mixed
    assert {exact(ICEHOUSE_RPM.package(name)) for name in ("openstack-neutron", "python-oslo-messaging")} <= mixed
    assert not any("quantum" in package for package in mixed)
    # One transaction that names every old package gets there; what nothing required before is not its business.
    hosts.run("rctl1", [*DNF, "install", "--allowerasing", *sorted(before)])
    strangers = {exact(ICEHOUSE_RPM.package(name)) for name in ("kernel-core", "python-oslo-messaging")}
    assert installed(hosts, "rctl1") - strangers == before


@pytest.mark.parametrize("fault", ["fail", "kill"])
def test_a_fault_can_be_asked_for(hosts: Lab, fault: str) -> None:
    offer(hosts, ICEHOUSE_RPM, "rcmp1")
    hosts.run("rcmp1", ["mkdir", "/run/lab-fault"])
    hosts.run("rcmp1", ["tee", f"/run/lab-fault/{fault}-openstack-nova-common"], b"icehouse\n")
    done = hosts.run("rcmp1", [*DNF, "upgrade"], check=False)
    here = installed(hosts, "rcmp1")
    old, new = (exact(release.package("openstack-nova-common")) for release in (HAVANA_RPM, ICEHOUSE_RPM))
    if fault == "fail":
        assert done.returncode == 1 and {old, new} & here == {old}
    else:
        assert done.returncode != 0 and {old, new} <= here
        assert b"is a duplicate with" in hosts.run("rcmp1", ["dnf", "-q", "check"], check=False).stdout


def test_a_slow_scriptlet_waits_and_a_fault_of_another_release_does_not_happen(hosts: Lab) -> None:
    offer(hosts, ICEHOUSE_RPM, "rcmp1")
    hosts.run("rcmp1", ["mkdir", "/run/lab-fault"])
    hosts.run("rcmp1", ["tee", "/run/lab-fault/slow-python-nova"], b"3\n")
    hosts.run("rcmp1", ["tee", "/run/lab-fault/fail-python-nova"], b"juno\n")
    begin = float(text(hosts, "rcmp1", "date", "+%s.%N"))
    hosts.run("rcmp1", [*DNF, "upgrade"])
    assert float(text(hosts, "rcmp1", "date", "+%s.%N")) - begin > 3
    assert exact(ICEHOUSE_RPM.package("python-nova")) in installed(hosts, "rcmp1")

"""Facts of an rpm host: read from a recorded answer of one, and refused when it is anything else."""

from pathlib import Path

import pytest

from nornir_upgrade.core.facts import gather
from nornir_upgrade.core.facts.gather import Conffile, HostFacts
from nornir_upgrade.core.packaging.model import Repository
from nornir_upgrade.core.packaging.rpm import repo_file

ANSWER = (Path(__file__).parents[2] / "cases" / "facts" / "rctl1.txt").read_text()
BOUNDARY = "===4d2f0b7c9a1e43d5a8f6b3c2d1e0f987"


def parse(text: str) -> HostFacts:
    return gather.parse(text, "rctl1", "2014-05-01T00:00:00+00:00")


def changed(old: str, new: str) -> HostFacts:
    assert old in ANSWER
    return parse(ANSWER.replace(old, new, 1))


@pytest.fixture(scope="module")
def known() -> HostFacts:
    return parse(ANSWER)


def test_the_operating_system(known: HostFacts) -> None:
    assert (known.os.id, known.os.version, known.os.family, known.os.arch) == ("rocky", "9.0", "rpm", "x86_64")
    assert known.os.kernel and len(known.os.machine_id) == 32


def test_packages_with_reasons_and_locks(known: HostFacts) -> None:
    by_name = {one.name: one for one in known.packages}
    assert by_name["mariadb-server"].version == "3:10.5.16-2.el9"
    assert by_name["python-nova"].auto and not by_name["openstack-nova-api"].auto
    assert not any(one.hold or one.interrupted for one in known.packages)
    locked = changed(f"\n\n{BOUNDARY} locks 0", f"\nless-0:590-2.el9.*\n\n{BOUNDARY} locks 0")
    assert [one.name for one in locked.packages if one.hold] == ["less"]


def test_what_was_left_halfway_is_broken() -> None:
    """By name and version; or by name, where another version went last; and both of two, but for kernels."""
    end = f"\n\n{BOUNDARY} why 0"
    more = "\nhalfway python-nova-0:2013.2-2.el7.noarch\nhalfway less-0:1-1.noarch\ntorn sudo.noarch\ntorn kernel-core.x86_64"
    broken = {one.name for one in changed(end, more + end).packages if one.interrupted}
    assert broken == {"python-nova", "sudo"}
    row = "less\t0\t590\t2.el9\tnoarch\n"
    kernel = "kernel-core\t0\t6.0\t1.el9\tx86_64\n"
    found = changed(row, f"{row}less\t0\t591\t1.el9\tnoarch\n{kernel}").packages
    assert [(one.name, one.version) for one in found if one.broken] == [("less", "590-2.el9"), ("less", "591-1.el9")]
    assert len([one for one in found if one.name == "kernel-core"]) == 2


def test_configuration_and_what_rpm_left_beside_it(known: HostFacts) -> None:
    by_path = {one.path: one for one in known.conffiles}
    assert by_path["/etc/nova/nova.conf"].package == "openstack-nova-common"
    assert len(by_path["/etc/nova/nova.conf"].digest) == 64
    left = by_path["/etc/nova/nova.conf.rpmsave"]
    assert left == Conffile(left.path, "", left.digest) and left.digest


def test_sources_repositories_services_and_databases(known: HostFacts) -> None:
    uri = "http://10.99.0.1:8000/rpm/havana/"
    assert known.repositories == (Repository(99, uri, "cloud-havana", "", "x86_64"),)
    assert "/etc/yum.repos.d/cloud-havana.repo" in {one.path for one in known.sources}
    assert {"quantum-server", "openstack-nova-api"} <= {one.name for one in known.services if one.active}
    assert [one.name for one in known.databases] == ["keystone"]


def test_a_file_of_repositories() -> None:
    text = """\
[main]
enabled=1
[a]
baseurl=https://me:secret@example.org/$releasever/
    https://other.example.org/
priority = 10
[b]
enabled=0
baseurl=http://b/
[c]
metalink=http://c/
"""
    assert repo_file.enabled(text) == ("c", "a")
    a = repo_file.repositories(text, "x86_64")[1]
    assert (a.uri, a.priority) == ("https://example.org/$releasever/ https://other.example.org/", 10)

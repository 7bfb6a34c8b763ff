"""The escrow on real hosts with rpm and dnf: every file once, and a way back that no repository offers, renames and all."""

from collections.abc import Iterator, Sequence

import pytest

from nornir_upgrade.core.escrow import deliver
from nornir_upgrade.core.escrow.collect import Collected, collect
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.inventory.fleet import load
from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf
from nornir_upgrade.core.packaging.file_source import GATHERED
from nornir_upgrade.core.packaging.model import Package, PackageWant, implied
from nornir_upgrade.core.packaging.package_file import DELIVERED, PackageFile, files_of
from nornir_upgrade.core.store import Store, digest_of
from nornir_upgrade.core.transport.host import Host
from tests.lab import picture
from tests.lab.site import RPM_GROUPS, Site

pytestmark = pytest.mark.lab

DNF = Dnf()
REPOSITORY = "/etc/yum.repos.d/cloud-{release}.repo"
MARK = ".el7"  # of the releases' packages; the system's own come from no repository


class Work:
    """A site's fleet with an escrow."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.fleet = load(site.directory / "config.yaml")
        self.escrow = Escrow.beside(Store(site.state / "store"))

    def host(self, name: str) -> Host:
        (found,) = self.fleet.each([name], lambda host: host).values()
        assert not isinstance(found, Exception), found
        return found

    def packages(self, name: str) -> tuple[Package, ...]:
        host = self.host(name)
        return DNF.parse_query(host.run(DNF.query()).text)

    def installed(self, name: str, mark: str = MARK) -> tuple[PackageFile, ...]:
        return tuple(file for file in files_of("rpm", self.packages(name)) if mark in file.version)

    def collect(self, *names: str, mark: str = MARK) -> Collected:
        needs = {name: self.installed(name, mark) for name in names}
        return collect(self.fleet, dict.fromkeys(self.fleet.names, "dnf4"), needs, self.escrow)  # type: ignore[arg-type]


@pytest.fixture
def work(rpm_site: Site) -> Iterator[Work]:
    made = Work(rpm_site)
    yield made
    made.fleet.close()


def test_each_file_comes_once_and_its_signature_is_checked(work: Work) -> None:
    found = work.collect(*RPM_GROUPS)
    found.require()
    wanted = {file for name in RPM_GROUPS for file in work.installed(name)}
    assert len(found.kept) == len(wanted) > 15 and {kept.file for kept in found.kept} == wanted
    archive = {p.name: digest_of(p.read_bytes()) for p in (work.site.lab.repositories / "rpm/havana").rglob("*.rpm")}
    assert {kept.digest for kept in found.kept} <= set(archive.values())
    assert {(kept.source, kept.checked) for kept in found.kept} == {("repository", "signature")}
    for name in RPM_GROUPS:
        assert work.site.text(name, "ls", "-d", GATHERED) == ""
        assert work.site.text(name, "sh", "-c", "ls /var/cache/dnf/*/packages").split() == []
    assert work.collect(*RPM_GROUPS) == Collected((), {}, {})


def test_a_file_with_a_bad_signature_is_not_taken_from_the_cache(work: Work) -> None:
    fetch = "cd /var/cache/dnf/*/packages && dnf -q download openstack-nova-common && ls"
    (name,) = work.site.text("rcmp1", "sh", "-c", fetch).split()
    spoil = f"cd /var/cache/dnf/*/packages && printf x | dd of={name} bs=1 seek=6000 conv=notrunc"
    work.site.lab.run("rcmp1", ["sh", "-c", spoil])
    needs = {"rcmp1": [file for file in work.installed("rcmp1") if file.name == "openstack-nova-common"]}
    (kept,) = collect(work.fleet, {"rcmp1": "dnf4"}, needs, work.escrow).kept
    assert (kept.source, kept.checked) == ("repository", "signature")


def test_a_file_that_the_archive_has_lost_leaves_the_others_alone(work: Work) -> None:
    (lost,) = (work.site.lab.repositories / "rpm/havana").rglob("openstack-nova-common-*.rpm")
    hidden = lost.rename(lost.with_suffix(".hidden"))
    try:
        found = work.collect("rcmp1")
    finally:
        hidden.rename(lost)
    found.require()
    assert {kept.file.name for kept in found.kept if kept.rebuilt} == {"openstack-nova-common"}
    assert {"openstack-nova-compute", "python-nova"} <= {k.file.name for k in found.kept if k.source == "repository"}


@pytest.mark.parametrize(("name", "source"), [("rctl1", "repository"), ("rcmp1", "rebuilt")])
def test_a_downgrade_that_no_repository_offers_goes_through_in_one_transaction(
    work: Work, name: str, source: str
) -> None:
    before = picture.take(work.site.lab, [name])[name]["packages"]
    then = work.packages(name)
    if source == "rebuilt":
        off = f"sed -i s/enabled=1/enabled=0/ {REPOSITORY.format(release='havana')}"
        work.site.lab.run(name, ["sh", "-c", off])
    collect(work.fleet, {name: "dnf4"}, {name: work.installed(name)}, work.escrow).require()
    assert {kept.source for kept in work.escrow.list()} == {source}
    switch = "sed -e s/havana/icehouse/g -e s/enabled=0/enabled=1/ {} > {} && rm {}".format(
        *(REPOSITORY.format(release=one) for one in ("havana", "icehouse", "havana"))
    )
    work.site.lab.run(name, ["sh", "-c", f"{switch}; dnf -y -q upgrade"])
    host, present = work.host(name), work.packages(name)
    assert picture.take(work.site.lab, [name])[name]["packages"] != before

    want = back(then, present)
    simulate = DNF.simulate(want, present, downgrade=True)
    assert "Cannot find rpm nevra" in host.run(simulate, check=False).errors
    delivered = deliver.supply(host, work.escrow.store, "dnf4", want, present)
    assert len(delivered.paths) == sum(one.goal == "installed" for one in want)
    said = DNF.parse_simulation(host.run(delivered.known_to(simulate), timeout=300).text, present)
    assert said.changes == implied(want, present).changes
    change, *rest = DNF.change(want, present, downgrade=True, wait=60)
    done = host.job("packages", (delivered.known_to(change), *rest))
    assert done.status == 0, done.text
    assert picture.take(work.site.lab, [name])[name]["packages"] == before
    assert work.site.text(name, "sh", "-c", "rpm -V $(rpm -qa 'openstack-*' 'python-*') | grep -v ' c '") == ""
    deliver.withdraw(host)
    assert work.site.text(name, "ls", "-d", DELIVERED) == ""


SPEC = """\
Name: odd
Epoch: 2
Version: 1.0
Release: 1
Summary: every kind of file
License: ASL 2.0
BuildArch: noarch
Requires: (bash if coreutils)
%description
.
%install
mkdir -p %{buildroot}/srv/odd/empty %{buildroot}/etc
cd %{buildroot}/srv/odd
head -c 70000 /dev/urandom > large
echo one > hard; ln hard linked; ln hard again
echo two > pair-one; ln pair-one pair-two; echo three > trio-one; ln trio-one trio-three; ln trio-one trio-two
ln -s large soft
echo run > tool; chmod 4755 tool
echo gone > gone
echo configured > %{buildroot}/etc/odd.conf
%post
echo "post $1" >> /srv/odd.log
%files
/srv/odd
%ghost /srv/odd/made-later
%config(noreplace) /etc/odd.conf
"""
PICTURE = """\
find /srv/odd /etc/odd.conf -printf '%p %y %m %u %n %l\\n' | sort
find /srv/odd /etc/odd.conf -type f | sort | xargs sha256sum
"""


def test_a_rebuilt_package_holds_every_kind_of_file_as_it_was(work: Work) -> None:
    work.site.lab.run("rcmp1", ["sh", "-c", "cat > /root/odd.spec"], SPEC.encode())
    build = "rpmbuild --quiet -bb --define '_rpmdir /root' /root/odd.spec && rpm -i /root/noarch/odd-1.0-1.noarch.rpm"
    work.site.lab.run(
        "rcmp1",
        [
            "sh",
            "-c",
            f"{build} && cd /srv/odd && rm gone pair-two trio-one && ln -s soft trio-one && echo changed > /etc/odd.conf",
        ],
    )
    odd = PackageFile("rpm", "odd", "noarch", "2:1.0-1")
    was = work.site.text("rcmp1", "sh", "-c", PICTURE)
    told = work.site.text("rcmp1", "rpm", "-q", "--qf", "%{NEVRA} %{POSTIN} %{SUMMARY}", "--requires", "odd")
    (kept,) = collect(work.fleet, {"rcmp1": "dnf4"}, {"rcmp1": [odd]}, work.escrow).kept
    assert kept.rebuilt and was.count("/srv/odd/") > 7
    work.site.lab.run("rcmp1", ["sh", "-c", "rpm -e odd; rm -rf /srv/odd* /etc/odd.conf*"])
    delivered = deliver.deliver(work.host("rcmp1"), work.escrow, [odd], "dnf4")
    work.site.lab.run("rcmp1", ["rpm", "-i", *delivered.paths])
    # The configuration that somebody changed came back as it was, and a line longer; it counts as changed once it is restored.
    work.site.lab.run("rcmp1", ["sh", "-c", "echo changed | cmp -n 8 - /etc/odd.conf && echo changed > /etc/odd.conf"])
    assert work.site.text("rcmp1", "sh", "-c", PICTURE) == was
    assert work.site.text("rcmp1", "cat", "/srv/odd.log") == "post 1\n"
    assert work.site.text("rcmp1", "rpm", "-q", "--qf", "%{NEVRA} %{POSTIN} %{SUMMARY}", "--requires", "odd") == told
    assert work.site.text("rcmp1", "rpm", "-V", "odd").split()[1:] == ["c", "/etc/odd.conf"]


def back(then: Sequence[Package], now: Sequence[Package]) -> tuple[PackageWant, ...]:
    """What leads from `now` to `then`; of a kernel that came beside the old one, that version goes."""
    were, are = {(one.key, one.version) for one in then}, {(one.key, one.version) for one in now}
    names, beside = {key for key, _ in were}, {key for key, _ in were & are}
    stay = (one for one in then if (one.key, one.version) not in are)
    gone = (one for one in now if (one.key, one.version) not in were and (one.key not in names or one.key in beside))
    return (
        *(PackageWant(one.name, one.arch, one.version, "installed", one.auto, one.hold) for one in stay),
        *(PackageWant(one.name, one.arch, one.version if one.key in beside else "", "absent") for one in gone),
    )

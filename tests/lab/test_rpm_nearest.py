"""The way back of rpm's hosts on the lab's real repositories: exact, nearest, in part, explained, and taken by dnf unchanged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.facts.gather import HostFacts, OperatingSystem
from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf
from nornir_upgrade.core.packaging.model import Package, PackageWant, differences, implied
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.core.transport.ssh import SshHost
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.rpm import provision
from nornir_upgrade.lab.rpm.releases import HAVANA_RPM, ICEHOUSE_RPM
from nornir_upgrade.steps.packages import surprises
from rollback.catalog.catalogs import stock
from rollback.catalog.host_query import Wanted
from rollback.catalog.indexes import Shelf
from rollback.manifest.commands import of_host
from rollback.manifest.model import Manifest, require_solved
from rollback.manifest.transaction import wants
from rollback.packaging.candidate import Catalog
from rollback.solver.nearest import Nearest
from tests.conftest import Say, connect

pytestmark = pytest.mark.lab

DNF = Dnf()
OLD, NEW = HAVANA_RPM.version, ICEHOUSE_RPM.version
TO = {"snapshot": "before"}
BEFORE = {  # the files that name repositories, as they were
    provision.repository_path(HAVANA_RPM): provision.repository_file(HAVANA_RPM),
    provision.repository_path(ICEHOUSE_RPM): None,
}
KERNELS = ["5.14.0-70.13.1.el9", "5.14.0-162.6.1.el9"]
PLACES = "/etc/yum.repos.d /etc/dnf /var/cache/dnf /var/lib/dnf /var/log"
KEPT = f"find {PLACES} -type f -not -path '*/journal/*' -exec sha256sum {{}} + | sort"


class Cloud:
    """The rpm hosts over SSH. `then` are their packages as they were provisioned."""

    def __init__(self, lab: Lab, shelf: Path) -> None:
        self.lab, self.shelf = lab, Shelf(shelf)
        self.hosts: dict[str, SshHost] = {name: connect(lab, name) for name in ("rctl1", "rcmp1", "rcmp2")}
        self.then = {name: self.facts(name) for name in self.hosts}

    def each(self, names: Sequence[str], act: Callable[[Host], Any]) -> dict[str, Any]:
        return {name: act(self.hosts[name]) for name in names}

    def text(self, name: str, *argv: str) -> str:
        return self.hosts[name].run(argv).text

    def packages(self, name: str) -> tuple[Package, ...]:
        return DNF.parse_query(self.hosts[name].run(DNF.query()).text)

    def facts(self, name: str) -> HostFacts:
        kernel = self.text(name, "uname", "-r").strip()
        system = OperatingSystem("rocky", "9.0", "", "rpm", "x86_64", kernel, "")
        return HostFacts(name, "", system, self.packages(name), (), (), (), ())

    def forward(self, name: str) -> None:
        """To icehouse, whose repository takes the place of havana's."""
        self.offer(name, provision.repository_path(ICEHOUSE_RPM), provision.repository_file(ICEHOUSE_RPM))
        self.hosts[name].run(("dnf", "-q", "-y", "upgrade"), timeout=120.0, check=False)
        self.hosts[name].run(("rm", provision.repository_path(HAVANA_RPM)))

    def offer(self, name: str, path: str, text: str) -> None:
        self.hosts[name].run(("tee", path), stdin=text.encode())

    def old_repository_back(self, name: str) -> None:
        for path, text in BEFORE.items():
            self.offer(name, path, text or "")

    def stock(self, *names: str) -> dict[str, Catalog]:
        wanted = {}
        for name in names:
            known = {one.name for one in (*self.then[name].packages, *self.packages(name))}
            wanted[name] = Wanted(BEFORE, frozenset(known), "dnf4")
        return stock(self, wanted, self.shelf)  # type: ignore[arg-type]

    def judge(self, name: str, offered: Catalog, solver: Nearest | None = None) -> Manifest:
        return (solver or Nearest())(self.then[name], self.facts(name), offered, TO)

    def accepted(self, name: str, manifest: Manifest) -> tuple[PackageWant, ...]:
        """What the manifest wants, of which the host's own dnf says that it would do just that."""
        require_solved([manifest])
        now = self.packages(name)
        want = wants(manifest, self.facts(name))
        said = self.hosts[name].run(DNF.simulate(want, now, downgrade=True), check=False)
        assert said.status == 0, said.text
        told = DNF.parse_simulation(said.text, now).changes
        assert surprises(told, implied(want, now).changes, want) == ()
        return want

    def carry_out(self, name: str, manifest: Manifest) -> None:
        want = self.accepted(name, manifest)
        for command in DNF.change(want, self.packages(name), downgrade=True, wait=10):
            self.hosts[name].run(command, timeout=120.0)
        assert differences(want, self.packages(name)) == ()


@pytest.fixture
def cloud(rpm_fleet: Lab, tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(rpm_fleet, tmp_path / "indexes")
    yield made
    for host in made.hosts.values():
        host.close()
    rpm_fleet.reset(*made.hosts)


def without(offered: Catalog, lost: set[tuple[str, str]]) -> Catalog:
    """`offered`, but for these names and versions."""
    kept = {key: one for key, one in offered.candidates.items() if (one.name, one.version) not in lost}
    return replace(offered, candidates=kept)


def actions(manifest: Manifest) -> dict[str, str]:
    return {f"{one.name}{one.slot}": one.action for one in manifest.changes}


def there(packages: Sequence[Package]) -> list[tuple[str, str, str, bool, bool]]:
    return [(one.name, one.arch, one.version, one.auto, one.hold) for one in packages]


def test_a_fleet_is_asked_once_each_and_its_indexes_are_fetched_once(cloud: Cloud) -> None:
    for name in cloud.hosts:
        cloud.forward(name)
    kept = {name: cloud.text(name, "sh", "-c", KEPT) for name in cloud.hosts}
    asked: list[str] = []
    for host in cloud.hosts.values():
        real = host.run

        def noting(argv: Any, real: Any = real, host: SshHost = host, **more: Any) -> Any:
            asked.append(host.name)
            return real(argv, **more)

        host.run = noting  # type: ignore[method-assign]
    wanted = {
        name: Wanted(BEFORE, frozenset(one.name for one in cloud.then[name].packages), "dnf4") for name in cloud.hosts
    }
    found = stock(cloud, wanted, cloud.shelf)  # type: ignore[arg-type]
    assert sorted(asked) == sorted(cloud.hosts), "one round trip a host, and nothing beside"
    assert found["rcmp1"].candidates is found["rcmp2"].candidates
    assert {one.version for one in found["rcmp1"].candidates.values() if "nova" in one.name} >= {OLD}
    assert not [one for one in found["rctl1"].candidates.values() if one.version == NEW], "its repository is off then"
    offered = found["rctl1"].find("openstack-quantum", "noarch", OLD)
    assert offered is not None and len(offered.digest) == 64 and offered.size > 0
    assert found["rctl1"].dnf.protects("systemd") and not found["rctl1"].dnf.protects("openstack-nova-api")
    assert {name: cloud.text(name, "sh", "-c", KEPT) for name in cloud.hosts} == kept, "nothing of the hosts changed"


def test_a_rename_goes_back_exactly_where_single_downgrades_fail_or_mix(cloud: Cloud) -> None:
    cloud.forward("rctl1")
    assert {"openstack-neutron", "kernel-core"} <= {one.name for one in cloud.packages("rctl1")}
    manifest = cloud.judge("rctl1", cloud.stock("rctl1")["rctl1"])
    assert not manifest.deviations
    told = actions(manifest)
    assert told["openstack-quantum"] == "install" and told["openstack-neutron"] == "remove"
    assert [told[f"kernel-core{one}"] for one in KERNELS] == ["keep", "remove"]

    cloud.old_repository_back("rctl1")
    down = ("dnf", "-y", "downgrade")
    named = sorted(
        {one.name for one in cloud.then["rctl1"].packages if one.version == OLD and "quantum" not in one.name}
    )
    single = cloud.hosts["rctl1"].run((*down, "--allowerasing", *named), check=False)
    names = {one.name for one in cloud.packages("rctl1")}
    mixed = "openstack-neutron" in names or "openstack-quantum" not in names
    assert single.status != 0 or mixed, "dnf's own downgrade of each package leads elsewhere"

    manifest = cloud.judge("rctl1", cloud.stock("rctl1")["rctl1"])
    assert not manifest.deviations
    cloud.carry_out("rctl1", manifest)
    assert there(cloud.packages("rctl1")) == there(cloud.then["rctl1"].packages)
    assert cloud.text("rctl1", "dnf", "-q", "check") == ""


def test_the_printed_command_is_that_transaction(cloud: Cloud) -> None:
    cloud.forward("rcmp1")
    manifest = cloud.judge("rcmp1", cloud.stock("rcmp1")["rcmp1"])
    cloud.old_repository_back("rcmp1")
    (line,) = of_host(manifest, "dnf", cloud.facts("rcmp1"))
    cloud.hosts["rcmp1"].run(("sh", "-c", line), timeout=120.0)
    assert [(one.name, one.version) for one in cloud.packages("rcmp1")] == [
        (one.name, one.version) for one in cloud.then["rcmp1"].packages
    ]


def test_with_a_version_lost_the_nearest_state_is_what_dnf_makes_of_it(cloud: Cloud) -> None:
    cloud.forward("rctl1")
    cloud.old_repository_back("rctl1")
    offered = without(cloud.stock("rctl1")["rctl1"], {("python-nova", OLD)})
    manifest = cloud.judge("rctl1", offered)
    (told,) = manifest.deviations
    assert told.rule == "unobtainable" and f"python-nova={OLD} is in no repository" in told.text
    stay = {one.name for one in manifest.changes if one.action in ("keep", "unobtainable") and one.installed == NEW}
    assert {"python-nova", "openstack-nova-common", "openstack-nova-api"} <= stay
    assert not {one for one in stay if "neutron" in one or "keystone" in one}
    why = {one.name: one.why for one in manifest.changes}
    assert f"openstack-nova-common={OLD} needs python-nova = {OLD}" in why["openstack-nova-common"]
    assert "python-oslo-messaging" in why["python-oslo-messaging"], "what the newer one needs stays, and says why"
    cloud.carry_out("rctl1", manifest)
    found = {one.name: one.version for one in cloud.packages("rctl1") if one.name != "kernel-core"}
    assert found["python-nova"] == NEW and found["openstack-keystone"] == OLD and "openstack-quantum" in found
    assert cloud.text("rctl1", "dnf", "-q", "check") == ""

    whole = cloud.judge("rctl1", cloud.stock("rctl1")["rctl1"])
    cloud.carry_out("rctl1", whole)
    assert there(cloud.packages("rctl1")) == there(cloud.then["rctl1"].packages)


@pytest.mark.parametrize("missing", ["remove", "fail"])
def test_policy_decides_over_what_cannot_be_had(cloud: Cloud, missing: Any) -> None:
    cloud.forward("rcmp1")
    cloud.old_repository_back("rcmp1")
    offered = without(cloud.stock("rcmp1")["rcmp1"], {("python-novaclient", "1:2.15.0-1.el7"), ("python-nova", OLD)})
    manifest = cloud.judge("rcmp1", offered, Nearest(missing))
    if missing == "fail":
        assert manifest.problems
    else:
        assert actions(manifest)["openstack-nova-compute"] == "remove"
        cloud.accepted("rcmp1", manifest)


def test_a_part_goes_back_with_what_must_go_along(cloud: Cloud) -> None:
    cloud.forward("rctl1")
    cloud.old_repository_back("rctl1")
    manifest = cloud.judge("rctl1", cloud.stock("rctl1")["rctl1"], Nearest(only=("openstack-nova-api",)))
    moving = {one.name for one in manifest.changes if one.action not in ("keep", "held")}
    assert moving == {
        one.name for one in cloud.then["rctl1"].packages if "-nova" in one.name and "client" not in one.name
    }
    why = {one.name: one.why for one in manifest.changes}
    needs = f"openstack-nova-conductor={NEW} needs openstack-nova-common = {NEW}"
    assert needs in why["openstack-nova-conductor"]
    cloud.carry_out("rctl1", manifest)


def test_a_rich_dependency_takes_along_whom_nothing_else_would(cloud: Cloud) -> None:
    cloud.forward("rctl1")
    offered = cloud.stock("rctl1")["rctl1"]
    rich = f"(openstack-nova-api = {NEW} if openstack-nova-api)"
    present = offered.present["openstack-nova-conductor", "noarch", NEW]
    alone = tuple((field, rich if field == "Requires" else text) for field, text in present)
    offered = replace(offered, present={**offered.present, ("openstack-nova-conductor", "noarch", NEW): alone})
    manifest = cloud.judge("rctl1", offered, Nearest(only=("openstack-nova-api",)))
    why = {one.name: one.why for one in manifest.changes}
    assert f"openstack-nova-conductor={NEW} needs {rich}" in why["openstack-nova-conductor"]


def test_an_upgrade_killed_in_a_scriptlet_goes_back_from_two_versions(cloud: Cloud) -> None:
    cloud.lab.run(
        "rctl1", ["sh", "-c", "mkdir -p /run/lab-fault && echo icehouse > /run/lab-fault/kill-openstack-nova-api"]
    )
    cloud.forward("rctl1")
    cloud.lab.run("rctl1", ["rm", "-r", "/run/lab-fault"])
    wreck = cloud.packages("rctl1")
    twice = {one.name for one in wreck if one.name != "kernel-core" and [p.name for p in wreck].count(one.name) > 1}
    assert twice, "the test needs two versions of something"
    manifest = cloud.judge("rctl1", cloud.stock("rctl1")["rctl1"])
    assert not manifest.deviations and not manifest.problems
    cloud.old_repository_back("rctl1")
    want = wants(manifest, cloud.facts("rctl1"))
    for command in DNF.change(want, wreck, downgrade=True, wait=10):
        cloud.hosts["rctl1"].run(command, timeout=120.0)
    assert there(cloud.packages("rctl1")) == there(cloud.then["rctl1"].packages)
    assert cloud.text("rctl1", "dnf", "-q", "check") == ""


def test_dnf_takes_every_plan_unchanged_however_much_is_lost(cloud: Cloud, say: Say) -> None:
    cloud.forward("rctl1")
    cloud.old_repository_back("rctl1")
    offered = cloud.stock("rctl1")["rctl1"]
    old = sorted({(one.name, one.version) for one in cloud.then["rctl1"].packages if offered.find(*_key(one))})
    assert len(old) > 15
    chance, figures = Random(4), []
    for share in (0.01, 0.05, 0.20, 0.50):
        deviating = []
        for _ in range(3):
            lost = set(chance.sample(old, max(1, round(share * len(old)))))
            manifest = cloud.judge("rctl1", without(offered, lost))
            cloud.accepted("rctl1", manifest)
            deviating.append(sum(len(one.packages) for one in manifest.deviations))
        figures.append(f"{share:.0%} {sorted(deviating)}")
    say(f"rpm: of {len(old)} old versions lost, packages that deviate: {'; '.join(figures)}")


def test_an_index_that_dnf_has_and_that_is_not_old_is_not_fetched_again(cloud: Cloud) -> None:
    path, text = provision.repository_path(HAVANA_RPM), provision.repository_file(HAVANA_RPM)
    never = text.replace("metadata_expire=0", "metadata_expire=never")
    cloud.offer("rcmp1", path, never)
    cloud.hosts["rcmp1"].run(("dnf", "-q", "makecache"))
    place = cloud.lab.repositories / "rpm/havana"
    place.rename(place.with_name("away"))
    try:
        wanted = Wanted({path: never}, frozenset({"openstack-nova-compute"}), "dnf4")
        found = stock(cloud, {"rcmp1": wanted}, cloud.shelf)["rcmp1"]  # type: ignore[arg-type]
        assert found.find("openstack-nova-compute", "noarch", OLD) is not None
    finally:
        place.with_name("away").rename(place)


def test_a_repository_that_is_asked_for_and_gone_is_an_error_and_not_an_empty_catalogue(cloud: Cloud) -> None:
    path, text = provision.repository_path(HAVANA_RPM), provision.repository_file(HAVANA_RPM)
    gone = text.replace("/rpm/havana/", "/rpm/folsom/") + "skip_if_unavailable=1\n"
    with pytest.raises(CommandFailed, match=r"(?s)rcmp1.*404"):
        stock(cloud, {"rcmp1": Wanted({path: gone}, frozenset({"bash"}), "dnf4")}, cloud.shelf)  # type: ignore[arg-type]
    cloud.offer("rcmp1", "/etc/yum.repos.d/theirs.repo", gone.replace("[cloud-havana]", "[theirs]"))
    found = stock(cloud, {"rcmp1": Wanted({path: text}, frozenset({"kernel-core"}), "dnf4")}, cloud.shelf)["rcmp1"]  # type: ignore[arg-type]
    assert [one.version for one in found.candidates.values()] == KERNELS[:1], "another's that may be skipped is"


def _key(one: Package) -> tuple[str, str, str]:
    return one.name, one.arch, one.version

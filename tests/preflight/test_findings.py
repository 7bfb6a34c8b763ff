"""Findings: each is there when it must be, names its host and a remedy, and is not there on a fleet in order."""

from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import PackageChange, Transaction
from nornir_upgrade.core.state.entries import Entry
from nornir_upgrade.preflight import findings
from nornir_upgrade.preflight.findings import Finding
from nornir_upgrade.scenario import loader
from tests.fake.state import Service
from tests.fake.world import SHIPPED, World, lab, large, mixed

SHIPPED_TEXT = resources.files("nornir_upgrade.scenarios").joinpath(f"{SHIPPED}.yaml").read_text()


def test_a_fleet_in_order_has_none() -> None:
    assert lab().findings() == ()
    assert large().findings() == ()
    assert mixed().findings() == ()


def _broken(world: World) -> None:
    world.states["cmp1"].packages["python-nova"].state = "half-configured"


def _reinstall(world: World) -> None:
    world.states["cmp1"].packages["curl"].broken = True


def _held(world: World) -> None:
    for name in ("keystone", "python-keystone", "python-keystoneclient"):
        world.states["ctl1"].packages[name].selection = "hold"


def _down(world: World) -> None:
    world.states["ctl1"].services["cinder-api"].active = False


def _off(world: World) -> None:
    world.states["net1"].services["quantum-l3-agent"] = Service(active=False, enabled=False)


def _nothing(world: World) -> None:
    world.states["net1"].packages = {
        name: one for name, one in world.states["net1"].packages.items() if "quantum" not in name
    }


def _no_group(world: World) -> None:
    world.groups = {"net1": ("networks",)}


def _no_database_host(world: World) -> None:
    world.groups = {"ctl1": ("control",)}


def _without_controller(world: World) -> None:
    world.scope = ("ctl1", "net1", "cmp1")


@pytest.mark.parametrize(
    ("spoil", "key", "host", "severity", "says"),
    [
        (_broken, "package-broken", "cmp1", "blocking", "python-nova"),
        (_reinstall, "package-broken", "cmp1", "blocking", "curl"),
        (_held, "package-held", "ctl1", "advisory", "keystone, python-keystone, python-keystoneclient"),
        (_down, "service-down", "ctl1", "blocking", "cinder-api"),
        (_off, "service-off", "net1", "advisory", "quantum-l3-agent"),
        (_nothing, "nothing-of-scenario", "net1", "advisory", "no package"),
        (_no_group, "group-empty", "", "blocking", "did you mean 'networks'?"),
        (_no_database_host, "database-host-missing", "", "blocking", "identity: database keystone"),
        (_without_controller, "stage-put-off", "", "advisory", "lift-cap"),
        (_without_controller, "limit-may-split-stage", "", "advisory", "cmp2 left out"),
    ],
)
def test_what_is_wrong_is_found(spoil: Callable[[World], None], key: str, host: str, severity: str, says: str) -> None:
    world = lab()
    spoil(world)
    wanted = loader.load(SHIPPED)
    # Where packages are broken apt refuses, and there are no previews: such findings come without them.
    early = key in ("package-broken", "group-empty")
    found = findings.findings(wanted, world.inventory, world.facts) if early else world.findings()
    told = [one for one in found if one.key == key]
    assert told, found
    assert (told[0].host, told[0].severity) == (host, severity)
    assert any(says in one.text for one in told)
    assert all(one.remedy for one in found)


def test_a_limit_that_parts_controllers_is_found() -> None:
    world = large()
    world.scope = tuple(name for name in world.states if name not in ("ctl2", "db1"))
    told = [one for one in world.findings() if one.key == "limit-splits-stage"]
    assert len(told) == 5
    assert "db1, ctl2 left out" in told[0].text


def test_a_limit_to_one_compute_node_splits_nothing() -> None:
    world = lab()
    world.scope = ("cmp1",)
    assert [one for one in world.findings() if one.severity == "blocking"] == []


def _with(change: PackageChange, stage: str = "compute-nodes", host: str = "cmp2") -> tuple[Finding, ...]:
    world, wanted = lab(), loader.load(SHIPPED)
    previews = world.previews(wanted)
    previews[host][stage] = Transaction((*previews[host][stage].changes, change))
    return findings.findings(wanted, world.inventory, world.facts, previews)


def test_a_hold_in_the_way_is_found() -> None:
    (found,) = _with(PackageChange("less", "amd64", "590-2.1~deb12u2", "600-1"))
    assert (found.key, found.host, found.severity) == ("hold-in-the-way", "cmp2", "blocking")
    assert found.remedy.endswith("apt-mark unhold less")


def test_a_package_that_goes_for_good_is_found() -> None:
    (found,) = _with(PackageChange("curl", "amd64", "7", ""))
    assert (found.key, found.severity) == ("package-lost", "advisory")
    (found,) = _with(PackageChange("nova-cert", "all", "1", ""), "compute-control", "ctl1")
    assert (found.key, found.severity) == ("package-lost", "blocking")


def test_a_package_that_another_drives_out_is_told_with_it() -> None:
    world, wanted = lab(), loader.load(SHIPPED)
    previews = world.previews(wanted)
    lost = PackageChange("curl", "amd64", "7", "")
    made = previews["cmp2"]["compute-nodes"]
    previews["cmp2"]["compute-nodes"] = Transaction((*made.changes, lost), (("curl", "wcurl 8-1"),))
    (found,) = findings.findings(wanted, world.inventory, world.facts, previews)
    assert found.text.endswith("nothing takes its place: wcurl 8-1 conflicts with it")
    assert found.remedy.endswith("renames: {curl: wcurl}")


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("redis-server", "5:7.0.15-1~deb12u7", "5:8.0.2-3+deb13u1", "redis goes from 7.0 to 8.0"),
        ("redis-server", "5:7.0.15-1~deb12u7", "5:7.0.15-1~deb12u10", ""),
        ("mariadb-server", "1:10.11.18-0+deb12u1", "1:11.8.9-0+deb13u1", ""),  # a stage of the scenario dumps
        ("postgresql", "15+248", "17+278", ""),
    ],
)
def test_data_that_an_older_server_does_not_take_are_told(name: str, old: str, new: str, told: str) -> None:
    found = [one for one in _with(PackageChange(name, "amd64", old, new)) if one.key == "data-not-taken-back"]
    assert [one.text.partition(",")[0] for one in found] == [told] * bool(told)


def test_mariadb_that_no_stage_dumps_is_told() -> None:
    world, wanted = lab(), loader.load("release-upgrade")
    jump = PackageChange("mariadb-server", "amd64", "1:10.11.18-0+deb12u1", "1:11.8.9-0+deb13u1")
    found = findings.findings(wanted, world.inventory, world.facts, {"cmp2": {"release": Transaction((jump,))}})
    (told,) = [one for one in found if one.key == "data-not-taken-back"]
    assert (told.host, told.severity) == ("cmp2", "advisory") and "10.11 to 11.8" in told.text


def test_services_of_a_later_stage_drawn_in_are_found() -> None:
    (found,) = _with(PackageChange("glance-api", "all", "1", "2"), "identity", "ctl1")
    assert (found.key, found.severity) == ("stages-entangled", "blocking")
    assert "glance-api, which belong to image" in found.text


def test_a_pin_that_keeps_all_back_is_found() -> None:
    world, wanted = lab(), loader.load(SHIPPED)
    nothing = {stage: Transaction(()) for stage in world.previews(wanted)["net1"]}
    found = findings.findings(wanted, world.inventory, world.facts, {"net1": nothing})
    assert [(one.key, one.host) for one in found] == [("nothing-newer", "net1")]


def test_blocking_findings_come_first() -> None:
    world = lab()
    _off(world)
    _down(world)
    assert [one.severity for one in world.findings()] == ["blocking", "advisory"]


# ---------------------------------------------------------------------- both families, several clouds


def test_remedies_are_in_the_words_of_the_hosts_tools() -> None:
    world = mixed()
    host = world.rpm["rcmp2"]
    host.packages = [replace(one, selection="hold", broken=one.name == "less") for one in host.packages]
    host.packages += [replace(one, version="600-1.el9") for one in host.packages if one.name == "less"]
    facts = world.facts
    found = findings.findings(loader.load(SHIPPED), world.inventory, facts)
    told = {one.key: one for one in found if one.host == "rcmp2"}
    assert told["package-broken"].text == "not wholly installed: less"
    assert told["package-broken"].remedy.startswith("on the host: dnf remove --duplicates")
    assert told["package-held"].remedy.startswith("on the host: dnf versionlock delete openstack-nova-common ")


def test_what_its_dnf_would_do_is_looked_at_too() -> None:
    world, wanted = mixed(), loader.load(SHIPPED)
    previews = world.previews(wanted)
    lost = PackageChange("openstack-nova-cert", "noarch", "2013.2-2.el7", "")
    drawn = PackageChange("openstack-glance", "noarch", "2013.2-2.el7", "2014.1-2.el7")
    previews["rctl1"]["identity"] = Transaction((*previews["rctl1"]["identity"].changes, lost, drawn))
    previews["rcmp1"]["compute-nodes"] = Transaction(())
    previews["rcmp2"]["compute-nodes"] = Transaction((PackageChange("less", "noarch", "590-2.el9", "600-1.el9"),))
    found = {one.key: one for one in findings.findings(wanted, world.inventory, world.facts, previews)}
    assert "dnf --assumeno" in found["package-lost"].remedy
    assert found["stages-entangled"].text == "identity would also change openstack-glance, which belong to image"
    assert found["nothing-newer"].text.startswith("its dnf sees nothing newer")
    assert found["hold-in-the-way"].remedy.endswith("dnf versionlock delete less")


def test_a_renamed_package_of_rpm_is_not_lost() -> None:
    assert "package-lost" not in {one.key for one in mixed().findings()}


def test_a_family_without_repositories_is_refused(tmp_path: Path) -> None:
    text = SHIPPED_TEXT.replace(SHIPPED_TEXT[SHIPPED_TEXT.index("  rpm:\n") : SHIPPED_TEXT.index("# Part of")], "\n")
    (path := tmp_path / "service-by-service.yaml").write_text(text)
    world = mixed()
    wanted = loader.load(str(path))
    (found,) = findings.findings(wanted, world.inventory, world.facts)
    assert (found.key, found.severity, found.host) == ("family-without-repositories", "blocking", "")
    assert found.text == (
        "service-by-service names no repositories for rpm hosts, of which there is: rctl1, rcmp1, rcmp2"
    )
    assert "repositories.rpm" in found.remedy
    with pytest.raises(InvalidInput, match="no repositories for rpm hosts"):
        world.previews(wanted)
    world.scope = tuple(world.states)
    assert findings.findings(wanted, world.inventory, world.facts) == ()


@pytest.mark.parametrize("cloud", [("ctl1", "net1", "cmp1", "cmp2"), ("rctl1", "rcmp1", "rcmp2")])
def test_a_cloud_goes_without_the_others(cloud: tuple[str, ...]) -> None:
    world = mixed()
    world.scope = cloud
    assert world.findings() == ()


def test_a_limit_that_parts_a_cloud_is_found_there_alone() -> None:
    world = mixed()
    world.scope = ("ctl1", "net1", "cmp1", "cmp2", "rctl1", "rcmp1")
    found = {(one.key, one.severity) for one in world.findings()}
    assert found == {("stage-put-off", "advisory"), ("limit-may-split-stage", "advisory")}
    assert all("rcmp2" in one.text for one in world.findings())
    world.groups = {"rctl1": ("control",)}
    missing = [one for one in world.findings() if one.key == "database-host-missing"]
    assert len(missing) == 5 and missing[0].text.endswith("no host is in group db of cloud rpm")


def test_a_cloud_has_a_name() -> None:
    world = mixed()
    world.clouds["rctl1"] = 7  # type: ignore[assignment]
    with pytest.raises(InvalidInput, match="host rctl1: cloud must be text, not 7"):
        world.findings()


def test_a_name_that_no_capture_takes_is_found() -> None:
    world = lab()
    odd = Entry("etc", "/etc/caf\\udce9", "file 0644 0:0 0")
    facts = replace(world.facts["cmp1"], entries=(odd, Entry("etc", "/etc/fine", "file 0644 0:0 0")))
    (found,) = findings.findings(loader.load(SHIPPED), world.inventory, world.facts | {"cmp1": facts})
    assert (found.key, found.host, found.severity) == ("not-captured", "cmp1", "advisory")
    assert found.text.endswith("restored: /etc/caf\\udce9")

"""A stage about every package: the host's package manager says what comes and goes, and what nobody asked for may go."""

from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.model import Package, PackageChange, PackageWant, Transaction
from nornir_upgrade.core.packaging.preview import EVERYTHING
from nornir_upgrade.planner import upgrade
from nornir_upgrade.preflight import findings
from nornir_upgrade.preflight.findings import Finding
from nornir_upgrade.scenario import loader
from nornir_upgrade.steps.packages import SetPackages
from tests.fake.world import World, lab

TEXT = """\
format: "1.0"
name: all-at-once
summary: every package
repositories:
  old: {path: /etc/apt/sources.list.d/cloud-havana.list}
  new: {path: /etc/apt/sources.list.d/cloud-icehouse.list, text: "deb http://10.99.0.1:8000/icehouse icehouse main"}
renames: {quantum: neutron, "lib*": "lib*t64"}
services:
  nova-compute: {port: 18003}
stages:
  - name: everything
    groups: [compute]
    packages: ["*"]
    services: [nova-compute]
    configuration: [/etc/nova]
    outage: all of it
    way_back: the old packages
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "all-at-once.yaml"
    file.write_text(TEXT)
    return str(file)


def wants(world: World, path: str, host: str) -> dict[str, PackageWant]:
    steps = [step for _, name, step in world.plan(path).steps() if name == host and isinstance(step, SetPackages)]
    assert len(steps) == 1
    return {one.name: one for one in steps[0].want}


def test_every_package_is_asked_for_in_one_word(path: str) -> None:
    world = lab()
    asked = upgrade.requests(loader.load(path), world.inventory, world.facts)
    assert {host: request.packages for host, request in asked.items()} == {
        host: {"everything": EVERYTHING} for host in ("cmp1", "cmp2")
    }


def test_what_is_new_is_automatic_and_what_is_there_keeps_its_mark(path: str) -> None:
    want = wants(lab(), path, "cmp1")
    assert {"nova-compute", "python-nova", "python-oslo.messaging"} <= want.keys()
    assert not want["nova-compute"].auto
    assert want["python-nova"].auto and want["python-oslo.messaging"].auto


def test_what_is_held_stays_as_it_is(path: str) -> None:
    world = lab()
    assert "python-novaclient" in wants(world, path, "cmp2")
    world.states["cmp2"].packages["python-novaclient"].selection = "hold"
    assert "python-novaclient" not in wants(world, path, "cmp2")


def lost(path: str, name: str, *, auto: bool, new: str = "") -> list[Finding]:
    """What the preflight finds where an installed package would go, and one called `new` would come."""
    world, wanted = lab(), loader.load(path)
    facts, previews = world.facts, world.previews(wanted)
    there = Package(name, "amd64", "1", "installed", "install", auto)
    facts["cmp1"] = replace(facts["cmp1"], packages=(*facts["cmp1"].packages, there))
    changes = [PackageChange(name, "amd64", "1", ""), *([PackageChange(new, "amd64", "", "2")] if new else [])]
    previews["cmp1"]["everything"] = Transaction((*previews["cmp1"]["everything"].changes, *changes))
    found = findings.findings(wanted, world.inventory, facts, previews)
    return [one for one in found if one.key == "package-lost"]


def test_a_package_that_somebody_asked_for_must_not_go_unsaid(path: str) -> None:
    assert [one.severity for one in lost(path, "libdb5.3", auto=False)] == ["blocking"]
    assert [one.severity for one in lost(path, "libdb5.3", auto=True)] == ["advisory"]
    assert lost(path, "libdb5.3", auto=False, new="libdb5.3t64") == []


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("libssl3", "libssl3t64"),
        ("lib", "libt64"),
        ("quantum-common", "neutron-common"),
        ("zlib1g", ""),
        ("li", ""),
    ],
)
def test_a_rename_of_whole_names(path: str, name: str, renamed: str) -> None:
    assert loader.load(path).renamed(name) == renamed


@pytest.mark.parametrize("new", ["libt64", "lib**t64", "l*b*"])
def test_a_rename_keeps_the_rest_of_the_name(path: str, new: str) -> None:
    Path(path).write_text(TEXT.replace('"lib*t64"', f'"{new}"'))
    with pytest.raises(InvalidInput, match=r"line 7: renames\.lib\*: .* must have one \* each"):
        loader.load(path)

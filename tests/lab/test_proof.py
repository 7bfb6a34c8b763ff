"""The proof before the first touch, on hosts of both families: what it foretells comes true, and what cannot go back is not touched."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.facts.gather import HostFacts, gather
from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.planner.reversibility import questions
from nornir_upgrade.steps import registry as registry
from tests.conftest import connect
from tests.lab.conftest import Lose
from tests.lab.picture import differences, take
from tests.lab.site import BOTH, SCENARIO, Site

pytestmark = pytest.mark.lab

PLACES = "/etc/apt /etc/yum.repos.d /etc/dnf /var/lib/apt /var/lib/dpkg /var/lib/rpm /var/lib/dnf /var/cache/apt /var/cache/dnf"
KEPT = f"find {PLACES} -type f -not -name '*.sqlite-*' -exec sha256sum {{}} + 2>/dev/null | sort; ls /var/tmp /tmp | grep nornir; true"
Moves = dict[str, set[tuple[str, str, str]]]
"""Host -> (package, version it has, version that it will have), '' where it has or will have none."""


@contextmanager
def facts_of(site: Site) -> Iterator[dict[str, HostFacts]]:
    hosts = {name: connect(site.lab, name) for name in BOTH}
    yield {name: gather(host) for name, host in hosts.items()}
    for host in hosts.values():
        host.close()


def foretold(document: Mapping[str, Any]) -> Moves:
    """The way back as the plan tells it."""
    return {
        host: {(f"{one['name']}:{one['arch']}", one["old"], one["new"]) for one in way["changes"]}
        for way in document["ways_back"]
        for host in way["hosts"]
    }


def computed(document: Mapping[str, Any]) -> Moves:
    """The way back as `rollback compute` tells it, a rename in its two parts."""
    found: Moves = {}
    for manifest in document["manifests"]:
        moves = found.setdefault(manifest["host"], set())
        for one in manifest["changes"]:
            key, then = f"{one['name']}:{one['arch']}", f"{one['target_name']}:{one['arch']}"
            if one["action"] == "rename":
                moves |= {(key, one["installed"], ""), (then, "", one["target"])}
            elif one["action"] == "remove":
                moves.add((key, one["installed"], ""))
            elif one["action"] in ("downgrade", "upgrade", "install"):
                moves.add((key, one["installed"] or "", one["target"]))
    return found


def whole(packages: tuple[Package, ...]) -> set[Package]:
    """What is more than its configuration: dpkg forgets what had none."""
    return {one for one in packages if one.unpacked}


def test_what_is_foretold_is_what_comes_and_the_way_back_is_the_one_computed_then(both: Site) -> None:
    both.upgrade("check", SCENARIO)  # the questions of root bring the caches of package managers up to date
    kept = {host: both.text(host, "sh", "-c", KEPT) for host in ("cmp2", "rcmp2")}
    planned = both.upgrade("plan", SCENARIO, "--out", "plan.json", "-o", "json").document
    assert {host: both.text(host, "sh", "-c", KEPT) for host in kept} == kept
    assert {way["verdict"] for way in planned["ways_back"]} == {"reversible"}
    plan = codec.loads((both.directory / "plan.json").read_bytes(), Plan, source="plan.json")
    with facts_of(both) as before:
        after = {host: one.after for host, one in questions(plan, before).items()}
    assert after.keys() == foretold(planned).keys() == BOTH.keys()

    both.upgrade("run", "plan.json", "--yes")
    with facts_of(both) as now:
        unforeseen = {host: whole(one.packages) ^ whole(after[host]) for host, one in now.items()}
    assert not any(unforeseen.values()), unforeseen
    assert computed(both.rollback("compute", "-o", "json").document) == foretold(planned)


def test_what_cannot_go_back_is_not_touched_but_with_consent_and_then_goes_as_far_as_it_can(
    both: Site, lose: Lose, lose_rpm: Lose
) -> None:
    both.configure(ours={"keep": "none"})
    before = take(both.lab, BOTH)
    lose("nova-compute")
    lose_rpm("openstack-nova-compute")
    computes = ("cmp1", "cmp2", "rcmp1", "rcmp2")
    planned = both.upgrade("plan", SCENARIO)
    assert re.search(r"rcmp1, rcmp2: NO WAY BACK\n.*openstack-nova-compute:noarch 2013", planned.out), planned.out
    refused = both.forward("--accept-no-way-back", "cmp2", status=24)
    for host in computes:
        told = re.search(rf"^(?:nornir-upgrade: error: )?{host}: no way back: \S*nova-compute:", refused.err, re.M)
        assert bool(told) == (host != "cmp2"), refused.err
    assert not both.runs() and differences(before, take(both.lab, BOTH)) == []

    both.forward(*(word for host in computes for word in ("--accept-no-way-back", host)))
    both.rollback("compute", "--limit", ",".join(computes), status=21)
    nearest = both.rollback("compute", "--limit", ",".join(computes), "--missing", "keep", "-o", "json").document
    for manifest in nearest["manifests"]:
        actions = {one["name"]: one["action"] for one in manifest["changes"]}
        assert actions["openstack-nova-compute" if manifest["family"] == "rpm" else "nova-compute"] == "unobtainable"
    both.rollback("compute", "--limit", "net1")


def test_with_escrow_the_same_hosts_can_go_back(both: Site, lose: Lose, lose_rpm: Lose) -> None:
    lose("nova-compute")
    lose_rpm("openstack-nova-compute")
    planned = both.upgrade("plan", SCENARIO, "-o", "json").document
    ways = {host: way for way in planned["ways_back"] for host in way["hosts"]}
    assert {host for host, way in ways.items() if way["verdict"] == "reversible from escrow"} == {
        *("cmp1", "cmp2", "rcmp1", "rcmp2")
    }
    assert [word.partition(":")[0] for word in ways["rcmp1"]["to_keep"]] == ["openstack-nova-compute"]
    both.rollback("escrow", "fetch", "--limit", "cmp1,rcmp1", "*nova-compute", status=0)
    planned = both.upgrade("plan", SCENARIO, "-o", "json").document
    ways = {host: way for way in planned["ways_back"] for host in way["hosts"]}
    assert len(ways["rcmp2"]["kept"]) == len(ways["cmp2"]["kept"]) == 1 and ways["cmp2"]["bytes"] > 0

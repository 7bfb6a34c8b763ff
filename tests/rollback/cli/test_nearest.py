"""The nearest way back through the command line, over fake hosts: agreed to, announced, reached exactly, and proved."""

import dataclasses
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from rollback import assess
from rollback.packaging.candidate import Catalog, catalog
from tests.fake import hosts, way_back
from tests.fake.state import File
from tests.rollback.conftest import Site

OLD, NEW = "1:2013.2-0ubuntu1~cloud0", "1:2014.1-0ubuntu1~cloud0"
CLIENT = ("python-novaclient", "1:2.15.0-0ubuntu1~cloud0", "1:2.17.0-0ubuntu1~cloud0")

Lose = Callable[[str, str], None]


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Lose:
    """Afterwards no repository has that version any more."""

    def lost(name: str, version: str) -> None:
        def offered(host: Host, sources: Mapping[str, str | None], names: Iterable[str]) -> Catalog:
            found = real(host, sources, names)
            kept = [one for one in found.candidates.values() if (one.name, one.version) != (name, version)]
            return catalog(kept, found.present)

        real = way_back.offered
        monkeypatch.setattr(way_back, "offered", offered)

    return lost


def versions(site: Site, host: str) -> dict[str, str]:
    """The packages that are installed."""
    return {name: one.version for name, one in site.present[host].packages.items() if one.state == "installed"}


def at_first(site: Site, host: str) -> dict[str, str]:
    """The packages that were installed before the fleet went forward."""
    return {name: one.version for name, one in site.start[host].packages.items() if one.state == "installed"}


def test_what_cannot_be_had_stays_where_that_was_agreed_to(site: Site, lose: Lose) -> None:
    name, old, new = CLIENT
    site.go_forward()
    lose(name, old)
    there = site.present
    refused = site.call("apply", "--restore-db", "--yes", code=21)
    assert f"{name}={old} is in no repository" in refused.stderr and "--missing keep" in refused.stderr
    assert site.present == there and len(site.journal.runs()) == 1

    result = site.call("apply", "--restore-db", "--missing", "keep", "--yes")
    told = result.stderr
    assert told.index(f"{name} {new} stays") < told.index("wave")
    assert "Not as in the snapshot, as announced:" in result.stdout and "Differs:" not in result.stdout
    for host in ("cmp1", "ctl1"):
        found = at_first(site, host)
        assert versions(site, host) == found | {name: new}
    assert [run.status for run in site.journal.runs()] == ["undone", "succeeded"]
    again = site.call("apply", "--restore-db", "--missing", "keep", "--yes")
    assert "Nothing to do: all is where the way back leads." in again.stdout
    site.call("apply", "--restore-db", "--yes", code=21)


def test_what_cannot_be_exact_is_removed_where_that_was_agreed_to(site: Site, lose: Lose) -> None:
    name, old, _ = CLIENT
    site.go_forward()
    lose(name, old)
    document = site.json("apply", "--restore-db", "--missing", "remove", "--yes")
    assert document["equal"] and document["differences"] == []
    assert {f"{name}:all", "nova-common:all"} <= {one["name"] for one in document["expected"]}
    for host in ("cmp1", "ctl1"):
        assert versions(site, host) == {one: v for one, v in at_first(site, host).items() if "nova" not in one}


def test_compute_agreed_to_ends_with_0_and_says_what_deviates(site: Site, lose: Lose) -> None:
    name, old, new = CLIENT
    site.go_forward()
    lose(name, old)
    result = site.call("compute", "--missing", "keep")
    assert f"{name} {new} stays" in result.stderr and f"{name}=" not in result.stdout
    assert f"{name}-" in site.call("compute", "--missing", "remove").stdout.splitlines()
    site.call("compute", "--missing", "fail", code=21)
    why = site.call("compute", "--explain", name, code=21).stdout
    assert f"{name}:all unobtainable, {new} -> {new}: {name}={old} is in no repository" in why
    assert f"cmp1: {name}={old} is in no repository and not installed: {name} cannot be as in the snapshot" in why


def test_a_manifest_that_was_seen_is_agreement(site: Site, lose: Lose) -> None:
    name, old, new = CLIENT
    site.go_forward()
    lose(name, old)
    site.call("compute", "--out", "manifests", code=21)
    site.call("apply", "--manifest", "manifests", "--missing", "keep", "--yes", code=2)
    site.call("apply", "--manifest", "manifests", "--restore-db", "--yes")
    assert versions(site, "cmp1") == at_first(site, "cmp1") | {name: new}


def test_what_was_not_announced_is_a_difference(site: Site, lose: Lose, monkeypatch: pytest.MonkeyPatch) -> None:
    name, old, new = CLIENT
    site.go_forward()
    lose(name, old)
    real = way_back.facts_of

    def meddled(host: Host, databases: tuple[str, ...] = ()) -> object:
        found = real(host, databases)
        packages = tuple(
            dataclasses.replace(one, version="1:9") if one.name == name and one.version == new else one
            for one in found.packages
        )
        return dataclasses.replace(found, packages=packages) if len(site.journal.runs()) > 1 else found

    monkeypatch.setattr(assess, "gather", meddled)
    document = site.json("apply", "--restore-db", "--missing", "keep", "--yes", code=5)
    assert {one["name"] for one in document["differences"]} == {f"{name}:all"}
    assert site.journal.runs()[0].status == "succeeded"


def test_only_what_was_asked_for_goes_back_with_what_must_go_along(site: Site) -> None:
    site.go_forward()
    there = {host: versions(site, host) for host in site.present}
    result = site.call("apply", "--only", "nova*", "--restore-db", "--yes")
    assert "ctl1: python-nova comes along: " in result.stderr
    assert "Differs:" not in result.stdout
    for host in ("cmp1", "ctl1"):
        moved = {name for name, version in versions(site, host).items() if there[host].get(name) != version}
        assert {"nova-common", "python-nova"} <= moved and not {one for one in moved if "neutron" in one}
        assert all(versions(site, host)[name] == at_first(site, host)[name] for name in moved)
        files = site.present[host].files
        assert way_back.OLD in files and way_back.NEW in files
    state = site.present["ctl1"]
    assert state.services["neutron-server"].active and state.services["nova-conductor"].active
    assert state.databases["quantum"].schema == 2
    assert [run.status for run in site.journal.runs()] == ["succeeded", "succeeded"]

    site.call("apply", "--restore-db", "--yes")
    assert site.present == site.start


def test_only_names_its_own_databases(site: Site) -> None:
    site.go_forward()
    result = site.call("apply", "--only", "nova*", "--restore-db", "--yes")
    assert "database nova since" in result.stderr and "database quantum since" not in result.stderr
    assert "database quantum was migrated, and stays so: no pattern of --only is for it" in result.stderr
    assert site.present["ctl1"].databases["nova"].schema == 216
    assert "Nothing to do" in site.call("apply", "--only", "nova*", "--restore-db", "--yes").stdout


def test_only_through_a_manifest_is_only(site: Site) -> None:
    site.go_forward()
    site.call("compute", "--only", "nova*", "--out", "manifests")
    site.call("apply", "--manifest", "manifests", "--restore-db", "--yes")
    assert "neutron-server" in versions(site, "ctl1") and versions(site, "ctl1")["nova-common"] == OLD


def test_a_pattern_that_can_match_nothing_is_wrong_usage(site: Site) -> None:
    site.go_forward()
    site.call("compute", "--only", "nova python", code=2)
    for verb in (("compute",), ("compute", "--release", "icehouse"), ("apply", "--yes")):
        told = site.call(*verb, "--only", "nova*", "--only", "novva*", code=10).stderr
        assert "--only 'novva*' is for no package" in told


# ---------------------------------------------------------------------- to a release, without a snapshot


def test_a_release_of_the_hosts_own_repositories_is_a_way_without_a_snapshot(site: Site) -> None:
    site.go_forward()
    site.call("compute", "--release", "havana", code=10)
    for name in ("ctl1", "cmp1"):
        source = File("file", data=hosts.SOURCE.format(release="havana").encode())
        site.shown.hosts[name].state.files[way_back.OLD] = source
    there = site.present
    result = site.call(
        "compute", "--release", "cloud/havana", "--rename", "neutron=quantum", "--limit", "cmp1", code=21
    )
    assert f"nova-compute={OLD}" in result.stdout.splitlines()
    assert "python-oslo.messaging" in result.stderr
    manifest = site.json("compute", "--release", "havana", "--rename", "neutron=quantum", code=21)["manifests"][1]
    assert manifest["to"] == {"release": "havana"} and manifest["host"] == "ctl1"
    actions = {one["name"]: (one["action"], one["target_name"]) for one in manifest["changes"]}
    assert actions["python-neutronclient"] == ("rename", "python-quantumclient")
    assert actions["neutron-server"][0] == "remove" and actions["quantum-server"] == ("downgrade", "quantum-server")
    only = site.call("compute", "--release", "havana", "--only", "python-novaclient", "--limit", "cmp1")
    assert only.stdout.splitlines() == [f"python-novaclient={CLIENT[1]}"]
    assert site.present == there


# ---------------------------------------------------------------------- escrow

CONTROL = (
    "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: Somebody <somebody@example.org>\nDescription: kept\n"
)


def keep(directory: Path, name: str, version: str) -> Kept:
    """Afterwards the escrow beside the store in `directory` has that package."""
    tree, made = directory / "tree", directory / "made.deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(CONTROL.format(name, version))
    subprocess.run(["dpkg-deb", "--build", tree, made], check=True, capture_output=True)
    escrow, data = Escrow.beside(Store(directory / "store")), made.read_bytes()
    file = PackageFile("deb", name, "all", version)
    one = Kept(file, escrow.store.put(data), len(data), "cmp1", "cache", "index", "2026-01-01T00:00:00.000+00:00")
    escrow.keep(one)
    return one


def test_what_no_repository_has_and_the_escrow_has_can_be_had(site: Site, lose: Lose, tmp_path: Path) -> None:
    name, old, _ = CLIENT
    site.go_forward()
    lose(name, old)
    site.call("compute", code=21)
    kept = keep(tmp_path, name, old)
    changes = [one for host in site.json("compute")["manifests"] for one in host["changes"] if one["origin"]]
    assert {one["name"] for one in changes if one["from_escrow"]} == {name}
    assert {one["origin"] for one in changes if one["name"] == name} == {"escrow"} and len(changes) > 5
    path = tmp_path / "store" / kept.digest[:2] / kept.digest
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    site.call("compute", code=22)
    path.unlink()
    site.call("compute", code=21)

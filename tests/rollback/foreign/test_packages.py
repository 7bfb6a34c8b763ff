"""Packages that others installed since: they stay, with what they need and with their data; and what is purged is named."""

import json
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import Drift, NoSolution
from nornir_upgrade.core.facts.belongings import Belongings
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import PackageName, PackageWant
from nornir_upgrade.steps.packages import SetPackages
from rollback.foreign.packages import Foreign, brought, foreign, known
from rollback.foreign.removal import Parting, seen
from rollback.manifest.deviations import require_agreed
from rollback.manifest.model import Change, Manifest, document, read
from rollback.solver.nearest import Nearest
from tests.builders import Diary, facts, package, plan
from tests.fake.state import File, Installed
from tests.rollback.conftest import Site
from tests.rollback.worlds import host, made, offering

TO = {"snapshot": "s"}
SINCE = "2026-01-01 00:00:00 UTC"


def step(*words: str, downgrade: bool = False) -> SetPackages:
    """`name=version` is wanted installed, `name-` gone, `name_` gone but for its configuration."""
    want = []
    for word in words:
        name, _, version = word.partition("=")
        goal = "installed" if version else "absent" if name.endswith("-") else "config-files"
        want.append(PackageWant(name.rstrip("-_"), "amd64", version, goal))  # type: ignore[arg-type]
    return SetPackages(tuple(want), downgrade=downgrade)


def ended(diary: Diary, now: SetPackages, before: SetPackages, *, done: bool = True) -> None:
    run = diary.went(plan(("packages", {"ctl1": [now]})), {(0, "ctl1", 0): before})
    if done:
        diary.journal.append(run.id, "step_done", wave=0, host="ctl1", index=0)


# ---------------------------------------------------------------------- who brought it


def test_what_a_run_installed_that_was_not_there_it_brought(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    ended(diary, step("app=2", "lib=2", "new=1"), step("app=1", "lib-", "new_"), done=False)
    found = brought(diary.journal.runs(), "ctl1")
    there = [package(name, "2", arch="amd64") for name in ("app", "lib", "new", "other")]
    assert [found.has(one) for one in there] == [False, True, True, False]
    assert not brought(diary.journal.runs(), "cmp1").has(there[1])


def test_what_runs_removed_since_somebody_else_installed_again(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    ended(diary, step("lib=2"), step("lib-"))
    ended(diary, step("lib-", downgrade=True), step("lib=2"))
    found = brought(diary.journal.runs(), "ctl1")
    assert not found.has(package("lib", "2", arch="amd64"))
    assert found.has(package("lib", "2", "config-files", arch="amd64"))  # the run left that
    ended(diary, step("lib=3"), step("lib-"))
    assert brought(diary.journal.runs(), "ctl1").has(package("lib", "3", arch="amd64"))


def test_a_package_that_became_one_for_all_architectures_is_no_other(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    ended(diary, SetPackages((PackageWant("aa", "all", "2", "installed"),)), step("aa=1"))
    assert not brought(diary.journal.runs(), "ctl1").has(package("aa", "2"))
    ended(diary, SetPackages((PackageWant("bb", "all", "2", "installed"),)), step("bb-"))
    assert brought(diary.journal.runs(), "ctl1").has(package("bb", "3", arch="amd64"))


def test_foreign_is_what_the_snapshot_lacks_and_no_run_brought(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    ended(diary, step("app=2", "lib=2"), step("app=1", "lib-"))
    then = facts(packages=[package("app", "1", arch="amd64"), package("web", "1", "config-files", arch="amd64")])
    names = ("app", "lib", "db", "web")
    now = facts(packages=[package(name, "2", arch="amd64") for name in names])
    found = foreign(then, now, brought(diary.journal.runs(), "ctl1"), since=SINCE)
    assert {name for name, _, _ in found.packages} == {"db", "web"}


# ---------------------------------------------------------------------- the way back around them


def theirs(now: HostFacts, *names: str, remove: bool = False) -> Foreign:
    return Foreign(frozenset(known(one) for one in now.packages if one.name in names), since=SINCE, remove=remove)


def changes(manifest: Manifest) -> dict[str, str]:
    return {one.name: f"{one.action} {one.installed} -> {one.target}" for one in manifest.changes}


OLD = [made("app=1.0"), made("lib=1.0")]
NEW = [made("app=2.0", depends="lib2"), made("lib=1.0"), made("lib2=2.0")]


def test_a_foreign_package_stays_and_is_no_deviation() -> None:
    now = [*NEW, made("db=1.0", depends="dblib"), made("dblib=1.0")]
    here = host(now)
    manifest = Nearest()(host(OLD), here, offering(OLD, now), TO, theirs(here, "db", "dblib"))
    assert changes(manifest) == {
        "app": "downgrade 2.0 -> 1.0",
        "db": "keep 1.0 -> 1.0",
        "dblib": "keep 1.0 -> 1.0",
        "lib": "keep 1.0 -> 1.0",
        "lib2": "remove 2.0 -> ",
    }
    assert not manifest.deviations and not manifest.problems
    told = {one.name: (one.foreign, one.why) for one in manifest.changes if one.foreign}
    assert told == dict.fromkeys(("db", "dblib"), (True, f"installed by others since {SINCE}"))
    assert document(manifest)["foreign"] == ["db:amd64", "dblib:amd64"]
    assert read(json.dumps(document(manifest)), "here") == manifest


def test_a_foreign_package_keeps_what_it_needs_of_what_the_run_brought() -> None:
    now = [*NEW, made("db=1.0", depends="lib2")]
    here = host(now)
    manifest = Nearest()(host(OLD), here, offering(OLD, now), TO, theirs(here, "db"))
    kept = next(one for one in manifest.changes if one.name == "lib2")
    assert (kept.action, kept.kept_for, kept.foreign) == ("keep", "db", False)
    assert changes(manifest)["app"] == "downgrade 2.0 -> 1.0" and not manifest.deviations


@pytest.mark.parametrize("engine", [True, False])
def test_a_foreign_package_that_what_goes_back_cannot_stand_beside_is_named_and_agreed_to(
    monkeypatch: pytest.MonkeyPatch, engine: bool
) -> None:
    if not engine:
        from rollback.solver import nearest

        monkeypatch.setattr(nearest, "_choose_versions", nearest._choose_without_sat)
    now = [*NEW, made("db=1.0", depends="app (>= 2.0)"), made("ext=1.0", depends="db")]
    here = host(now)
    manifest = Nearest()(host(OLD), here, offering(OLD, now), TO, theirs(here, "db", "ext"))
    assert changes(manifest)["app"] == "downgrade 2.0 -> 1.0"
    for name in ("db", "ext"):  # their configuration and data stay
        assert changes(manifest)[name] == "remove 1.0 -> 1.0", manifest
    foreigners = [one for one in manifest.deviations if one.rule == "foreign"]
    assert {name for one in foreigners for name in one.packages} == {"db", "ext"}
    for missing in (False, True):
        with pytest.raises(NoSolution, match=r"db, .*which others installed, cannot stay") as refusal:
            require_agreed([manifest], missing=missing)
        assert "--remove-foreign" in refusal.value.hint
    asked = Nearest()(host(OLD), here, offering(OLD, now), TO, theirs(here, "db", "ext", remove=True))
    assert changes(asked) == changes(manifest) and not asked.deviations
    require_agreed([asked])


def test_with_remove_foreign_they_go_and_leave_their_configuration() -> None:
    now = [*NEW, made("db=1.0")]
    here = host(now)
    manifest = Nearest()(host(OLD), here, offering(OLD, now), TO, theirs(here, "db", remove=True))
    assert changes(manifest)["db"] == "remove 1.0 -> 1.0" and changes(manifest)["lib2"] == "remove 2.0 -> "
    (gone,) = (one for one in manifest.changes if one.foreign)
    assert gone.name == "db" and "installed by others" in gone.why


def test_a_foreign_package_is_never_dearer_than_one_of_the_snapshot() -> None:
    now = [*NEW, made("db=1.0", conflicts="app (<< 2.0)")]
    here = host(now)
    manifest = Nearest()(host(OLD), here, offering(OLD, now), TO, theirs(here, "db"))
    assert changes(manifest)["app"] == "downgrade 2.0 -> 1.0" and changes(manifest)["db"] == "remove 1.0 -> 1.0"


# ---------------------------------------------------------------------- through the command line


def somebody_installs(site: Site, name: str, *, data: bool = True) -> None:
    host = site.fleet.hosts["cmp1"]
    configuration = f"/etc/{name}.conf"
    host.state.packages[name] = Installed("1.0", conffiles={configuration: "0" * 32})
    host.state.files[configuration] = File("file", data=b"port=1")
    if data:
        for path, kind in ((f"/var/lib/{name}", "directory"), (f"/var/lib/{name}/precious", "file")):
            host.state.files[path] = File(kind, data=b"rows" if kind == "file" else b"")
    host.save()


def test_what_others_installed_since_stays_with_its_data_and_is_told_apart(site: Site) -> None:
    site.go_forward()
    somebody_installs(site, "shopdb")
    document = site.json("compute")
    (cmp1,) = (one for one in document["manifests"] if one["host"] == "cmp1")
    assert cmp1["foreign"] == ["shopdb:amd64"]
    assert "shopdb-" not in site.call("compute").stdout
    result = site.call("apply", "--restore-db", "--yes")
    told = result.stderr
    assert told.index("cmp1: installed by others since, stay") < told.index("shopdb 1.0") < told.index("wave")
    state = site.present["cmp1"]
    assert state.packages["shopdb"].state == "installed" and "/var/lib/shopdb/precious" in state.files
    assert "shopdb" in result.stdout and "as announced" in result.stdout
    again = site.call("apply", "--restore-db", "--yes").stdout
    assert "Nothing to do: all is where the way back leads." in again and "shopdb" in again


def test_with_remove_foreign_it_is_removed_and_its_data_stay_until_they_are_given_up(site: Site) -> None:
    site.go_forward()
    somebody_installs(site, "shopdb")
    result = site.call("apply", "--restore-db", "--remove-foreign", "--yes")
    assert "remove shopdb 1.0" in result.stderr and "\n  purge shopdb" not in result.stderr
    assert "kept with their data" in result.stderr and "--purge shopdb" in result.stderr
    state = site.present["cmp1"]
    assert state.packages["shopdb"].state == "config-files" and "/var/lib/shopdb/precious" in state.files
    assert "Nothing to do" in site.call("apply", "--restore-db", "--yes").stdout
    site.call("apply", "--restore-db", "--purge", "shop*", "--yes")
    state = site.present["cmp1"]
    assert "shopdb" not in state.packages and "/var/lib/shopdb/precious" not in state.files
    assert "is for no package that goes" in site.call("apply", "--restore-db", "--purge", "shop*", "--yes").stderr


def test_what_a_run_brought_is_not_purged_where_it_has_data_by_now(site: Site) -> None:
    site.go_forward()
    host = site.fleet.hosts["ctl1"]
    for path, kind in (("/var/lib/neutron-server", "directory"), ("/var/lib/neutron-server/ports", "file")):
        host.state.files[path] = File(kind, data=b"rows" if kind == "file" else b"")
    host.save()
    result = site.call("apply", "--restore-db", "--yes")
    assert "purge neutron-server " not in result.stderr and "purge python-neutron " in result.stderr
    assert "purged: " in result.stderr
    state = site.present["ctl1"]
    assert state.packages["neutron-server"].state == "config-files" and "/var/lib/neutron-server/ports" in state.files
    assert "python-neutron" not in state.packages
    document = site.json("compute", "--purge", "neutron*")
    (ctl1,) = (one for one in document["manifests"] if one["host"] == "ctl1")
    change = next(one for one in ctl1["changes"] if one["name"] == "neutron-server")
    assert (change["action"], change["target"]) == ("remove", "") and change["data"]


def data_comes(site: Site, host: str, name: str) -> None:
    found = site.fleet.hosts[host]
    for path, kind in ((f"/var/lib/{name}", "directory"), (f"/var/lib/{name}/precious", "file")):
        found.state.files[path] = File(kind, data=b"rows" if kind == "file" else b"")
    found.save()


def test_data_that_came_since_a_manifest_was_computed_stay_unless_they_are_given_up(site: Site) -> None:
    site.go_forward()
    site.call("compute", "--out", "manifests")
    data_comes(site, "ctl1", "neutron-server")
    result = site.call("apply", "--manifest", "manifests", "--restore-db", "--yes")
    assert "neutron-server is removed, not purged: /var/lib/neutron-server; purge it with --purge" in result.stderr
    state = site.present["ctl1"]
    assert state.packages["neutron-server"].state == "config-files"
    assert "/var/lib/neutron-server/precious" in state.files and "python-neutron" not in state.packages


@pytest.mark.parametrize(("before", "after"), [(("--purge", "neutron*"), ()), ((), ("--purge", "neutron-server"))])
def test_data_that_a_manifest_or_a_flag_gives_up_go(
    site: Site, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    site.go_forward()
    data_comes(site, "ctl1", "neutron-server")
    site.call("compute", *before, "--out", "manifests")
    told = site.call("apply", "--manifest", "manifests", *after, "--restore-db", "--yes").stderr
    assert "neutron-server is removed, not purged" not in told and "is for no package" not in told
    state = site.present["ctl1"]
    assert "neutron-server" not in state.packages and "/var/lib/neutron-server/precious" not in state.files


KEY = PackageName("shopdb", "amd64")
RICH = {KEY: Belongings(("/var/lib/shopdb",))}


@pytest.mark.parametrize(
    ("family", "known", "purge", "end"),
    [
        ("deb", (), (), ("1.0", ("/var/lib/shopdb",))),
        ("deb", (), ("shop*",), ("", ("/var/lib/shopdb",))),
        ("deb", ("/var/lib/shopdb",), (), ("", ("/var/lib/shopdb",))),
        ("deb", ("/srv/shopdb",), (), ("1.0", ("/var/lib/shopdb",))),
        ("rpm", ("/var/lib/shopdb",), (), ("", ("/var/lib/shopdb",))),
        ("rpm", (), ("shopdb",), ("", ("/var/lib/shopdb",))),
        ("rpm", (), (), None),
    ],
)
def test_a_manifest_that_was_seen_is_judged_by_the_data_of_now(
    family: str, known: tuple[str, ...], purge: tuple[str, ...], end: tuple[str, tuple[str, ...]] | None
) -> None:
    goes = Change("shopdb", "amd64", "remove", "1.0", "shopdb", "", data=known)
    given = Manifest("h", family, {}, (goes,))
    if end is None:
        with pytest.raises(Drift, match="shopdb: /var/lib/shopdb"):
            seen(given, facts("h"), RICH, Parting(purge=purge))
        return
    (change,) = seen(given, facts("h"), RICH, Parting(purge=purge)).changes
    assert (change.target, change.data) == end
    assert seen(given, facts("h"), {KEY: Belongings()}, Parting()).changes[0].target == ""


def test_a_manifest_that_was_seen_keeps_foreign_packages(site: Site) -> None:
    site.go_forward()
    somebody_installs(site, "shopdb")
    site.call("compute", "--out", "manifests")
    site.call("apply", "--manifest", "manifests", "--remove-foreign", "--yes", code=2)
    site.call("apply", "--manifest", "manifests", "--restore-db", "--yes")
    assert site.present["cmp1"].packages["shopdb"].state == "installed"

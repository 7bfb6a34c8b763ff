"""`rollback escrow` over a journal and a store as a run leaves them: what is told, what is found, and what may go."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from nornir_upgrade.console.text import in_bytes
from nornir_upgrade.core.errors import DiskFull, Unreachable
from nornir_upgrade.core.escrow import collect as module
from nornir_upgrade.core.escrow import host_copies
from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.escrow.holders import Holding
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import PackageWant
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.store import Store, digest_of
from nornir_upgrade.runner import session
from nornir_upgrade.runner.required_files import captures, installed, lost, needs
from nornir_upgrade.steps.packages import SetPackages
from rollback.escrow.prune import restorable, unreferenced
from rollback.snapshot import SnapshotEntry
from tests import builders
from tests.fake.depot import StubDepot, StubFleet, StubHost, content
from tests.fake.host import FakeHost
from tests.rollback.conftest import Site

LONG_AGO, LATER = "2020-01-01T00:00:00.000+00:00", "2099-01-01T00:00:00.000+00:00"
NOVA = PackageFile("deb", "nova-common", "all", "1:2013.2-0ubuntu1~cloud0")
STRANGER = PackageFile("deb", "stranger", "all", "1.0-1")


@pytest.fixture
def escrow(site: Site) -> Escrow:
    """What the command line finds in the site's directory."""
    return Escrow.beside(Store(Path("store")))


def keep(escrow: Escrow, file: PackageFile, at: str = LONG_AGO) -> Kept:
    one = Kept(file, escrow.store.put(content(file)), len(content(file)), "cmp1", "repository", "index", at)
    escrow.keep(one)
    return one


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def place(store: Store, digest: str) -> Path:
    return store.root / digest[:2] / digest


# ---------------------------------------------------------------------- list and verify


def test_list_tells_packages_and_what_runs_captured(site: Site, escrow: Escrow) -> None:
    assert "0 objects, 0 B." in site.call("escrow", "list").stdout
    site.go_forward()
    kept = keep(escrow, NOVA)
    document = site.json("escrow", "list")
    (package,) = document["packages"]
    assert (package["file"]["name"], package["digest"], package["source"]) == ("nova-common", kept.digest, "repository")
    told = {(one["what"], one["name"], one["host"]) for one in document["captures"]}
    assert ("dump", "nova", "ctl1") in told and ("configuration", "/etc/nova/nova.conf", "cmp1") in told
    assert all(one["size"] for one in document["captures"])
    assert document["objects"] == len(list(escrow.store.digests())) > 3
    text = site.call("escrow", "list").stdout
    assert "nova-common:all" in text and NOVA.version in text
    lines = [line.split() for line in text.splitlines()]
    assert ["dump", "2", "of", "them"] in [line[:4] for line in lines]
    assert any(line[:1] == ["configuration"] and line[2:4] == ["of", "them"] for line in lines)


def test_verify_finds_what_is_damaged_or_lost_and_says_whose_it_is(site: Site, escrow: Escrow) -> None:
    site.go_forward()
    kept = keep(escrow, NOVA)
    assert "all whole" in site.call("escrow", "verify").stdout
    captured = {one.name: one for one in captures(site.journal.runs())}
    flip(place(escrow.store, kept.digest))
    flip(place(escrow.store, captured["nova"].digest))
    place(escrow.store, captured["quantum"].digest).unlink()
    found = site.json("escrow", "verify", code=22)
    assert len(found["faults"]) == 3
    for word in (f"{NOVA}: object {kept.digest} is damaged", "dump nova of ctl1", "dump quantum of ctl1"):
        assert sum(word in fault for fault in found["faults"]) == 1
    (entry,) = (escrow.entries.root).glob("??/*")
    flip(entry)
    assert "entry of the escrow" in site.call("escrow", "verify", code=22).stdout


# ---------------------------------------------------------------------- prune


def test_prune_keeps_all_that_a_run_may_need_and_shows_what_goes(site: Site, escrow: Escrow) -> None:
    site.go_forward()
    keep(escrow, NOVA), keep(escrow, STRANGER)
    orphan = escrow.store.put(b"of a run that was never journalled")
    before = set(escrow.store.digests())
    refused = site.call("escrow", "prune", code=2)
    assert "--yes" in refused.stderr and set(escrow.store.digests()) == before
    result = site.call("escrow", "prune", "--yes")
    assert "stranger:all 1.0-1" in result.stderr and "1 objects of runs" in result.stderr
    left = set(escrow.store.digests())
    assert before - left == {orphan, *(k.digest for k in escrow.list() if k.file == STRANGER)}
    assert [one.file for one in Escrow.beside(escrow.store).list()] == [NOVA]
    assert "all that is kept is needed" in site.call("escrow", "prune").stdout
    site.call("escrow", "verify")
    site.call("apply", "--restore-db", "--yes")
    assert site.present == site.start


def test_after_the_way_back_the_way_back_itself_can_still_be_undone(site: Site, escrow: Escrow) -> None:
    site.go_forward()
    site.call("apply", "--restore-db", "--yes")
    site.call("escrow", "prune", "--yes")
    assert "all whole" in site.call("escrow", "verify").stdout
    last = site.journal.run("last")
    assert {one.digest for one in captures([last])} <= set(escrow.store.digests())


def test_what_was_fetched_since_the_last_run_stays(site: Site, escrow: Escrow) -> None:
    site.go_forward()
    keep(escrow, STRANGER, LATER)
    assert "all that is kept is needed" in site.call("escrow", "prune", "--yes").stdout


def test_what_keeps_the_kept_is_told_of_undone_runs_and_of_a_snapshot_taken_for_itself(site: Site) -> None:
    taken = site.json("snapshot", "--label", "before the maintenance")["snapshot"]
    site.go_forward()
    run = site.journal.run("last")
    assert "undone" not in site.call("escrow", "prune").stdout
    site.journal.append(run.id, "run_undone", text="other")
    told = site.call("escrow", "prune").stdout
    assert f"needed for a way back to snapshot {taken} (before the maintenance), which was taken for itself" in told
    assert "1 runs are undone; a way back to an earlier state still reads them" in told


def test_undone_runs_before_the_first_restorable_one_need_nothing_any_more(tmp_path: Path) -> None:
    diary = builders.Diary(tmp_path)
    step = SetPackages((PackageWant("nova-common", "all", "2", "installed"),))
    made = builders.plan(("one", {"ctl1": [step]}))
    undone = diary.went(made, {(0, "ctl1", 0): step})
    diary.journal.append(undone.id, "run_undone")
    stands = diary.went(made, {(0, "ctl1", 0): step}, ended="succeeded")
    runs = diary.journal.runs()
    old = builders.facts(packages=[builders.package("nova-common", "1")])
    older = builders.facts(packages=[builders.package("nova-common", "0")])
    taken = [builders.snapshot(older, run=undone.id), replace(builders.snapshot(old, run=stands.id), id="snapshot-2")]
    listed = [SnapshotEntry(one.id, "", one.taken_at, one.run, ()) for one in taken]
    needed, led_to = restorable(runs, listed)
    assert [run.id for run in needed] == [stands.id] and led_to == (listed[1],)
    kept = [
        Kept(PackageFile("deb", "nova-common", "all", version), version * 64, 1, "h", "cache", "index", LONG_AGO)
        for version in "012"
    ]
    found = unreferenced(runs, listed, {one.id: one for one in taken}.__getitem__, kept, [one.digest for one in kept])
    assert [one.file.version for one in found.packages] == ["0", "2"] and found.objects == ("0" * 64, "2" * 64)
    own = replace(listed[0], run="", id="snapshot-3")  # somebody took one before both
    assert [run.id for run in restorable(runs, [own])[0]] == [undone.id, stands.id]


# ---------------------------------------------------------------------- on hosts


def keep_there(site: Site, escrow: Escrow, host: str, file: PackageFile, at: str = LONG_AGO) -> Kept:
    """Kept by the host alone."""
    there = site.fleet.hosts[host]
    data, digest = content(file), digest_of(content(file))
    host_copies.take(there, {}, len(data))
    host_copies.receive(there, BytesIO(data), digest)
    escrow.holders.add(host, {digest})
    one = Kept(file, digest, len(data), host, "cache", "index", at)
    escrow.keep(one)
    return one


def silence(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Afterwards that host cannot be reached."""
    real = FakeHost.run

    def run(self: FakeHost, *argv: Any, **more: Any) -> Any:
        if self.name == name:
            raise Unreachable(f"{name}: no answer")
        return real(self, *argv, **more)

    monkeypatch.setattr(FakeHost, "run", run)


def test_list_tells_where_a_file_is(site: Site, escrow: Escrow) -> None:
    keep(escrow, STRANGER), keep_there(site, escrow, "ctl1", NOVA), keep_there(site, escrow, "cmp1", NOVA)
    found = {one["file"]["name"]: (one["controller"], one["hosts"]) for one in site.json("escrow", "list")["packages"]}
    assert found == {"nova-common": (False, ["cmp1", "ctl1"]), "stranger": (True, [])}
    nova, stranger = site.call("escrow", "list").stdout.splitlines()[1:3]
    assert nova.endswith("cmp1, ctl1") and stranger.endswith("controller")


def test_verify_reads_what_hosts_keep_and_tells_who_did_not_answer(
    site: Site, escrow: Escrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keep_there(site, escrow, "cmp1", NOVA)
    keep_there(site, escrow, "ctl1", NOVA)
    assert "2 copies on hosts: all whole." in site.call("escrow", "verify").stdout
    site.fleet.hosts["cmp1"].write(f"{host_copies.DIRECTORY}/{kept.digest}", b"damaged")
    said = f"cmp1: {NOVA}: copy {kept.digest} is damaged or lost"
    assert site.json("escrow", "verify", code=22)["faults"] == [said]
    silence(monkeypatch, "cmp1")
    result = site.call("escrow", "verify", code=30)
    assert "cmp1: NOT read: cmp1: no answer" in result.stdout and "all whole that could be read" in result.stdout
    assert site.json("escrow", "verify", code=30)["silent"] == {"cmp1": "cmp1: no answer"}


def test_where_no_host_keeps_anything_no_host_is_asked(
    site: Site, escrow: Escrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(escrow, NOVA)
    silence(monkeypatch, "cmp1"), silence(monkeypatch, "ctl1")
    for verb in ("list", "verify", "prune"):
        site.call("escrow", verb)


def test_prune_drops_what_a_hosts_own_way_back_does_not_need(
    site: Site, escrow: Escrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = keep_there(site, escrow, "cmp1", NOVA)
    strange = keep_there(site, escrow, "cmp1", STRANGER)
    keep_there(site, escrow, "ctl1", STRANGER)
    site.go_forward()
    with monkeypatch.context() as patched:
        silence(patched, "ctl1")
        result = site.call("escrow", "prune", "--yes")
    assert "the copy on cmp1, ctl1: stranger:all 1.0-1" in result.stderr
    assert "ctl1 keeps its copies: ctl1: no answer" in result.stderr and "1 copies on 1 hosts" in result.stdout
    cmp1, ctl1 = (site.fleet.hosts[name] for name in ("cmp1", "ctl1"))
    both = (needed.digest, strange.digest)
    assert host_copies.whole(cmp1, both) == {needed.digest} and host_copies.whole(ctl1, both) == {strange.digest}
    document = site.json("escrow", "prune", "--yes")
    assert document["copies"] == {"ctl1": [strange.digest]} and document["left"] == {}
    assert host_copies.whole(ctl1, both) == set() and ctl1.stat((host_copies.DIRECTORY,))[0].kind == "absent"
    assert "all that is kept is needed" in site.call("escrow", "prune").stdout
    assert [one.file for one in Escrow.beside(escrow.store).list()] == [NOVA]


def test_what_hosts_got_since_the_last_run_stays_and_what_another_host_needs_goes(tmp_path: Path) -> None:
    diary = builders.Diary(tmp_path)
    step = SetPackages((PackageWant("nova-common", "all", "2", "installed"),))
    run = diary.went(builders.plan(("one", {"ctl1": [step]})), {(0, "ctl1", 0): step}, ended="succeeded")
    facts = builders.facts("ctl1", [builders.package("nova-common", "1")])
    file = PackageFile("deb", "nova-common", "all", "1")
    one = Kept(file, "1" * 64, 1, "ctl1", "cache", "index", LONG_AGO)

    def copies_to_go(at: str) -> object:
        holdings = [Holding(host, ("1" * 64, "2" * 64), at) for host in ("ctl1", "cmp1")]
        return unreferenced(
            (run,),
            [SnapshotEntry("s", "", LONG_AGO, run.id, ())],
            lambda _: builders.snapshot(facts),
            [one],
            [],
            holdings,
        ).copies

    assert copies_to_go(LONG_AGO) == {"ctl1": ("2" * 64,), "cmp1": ("1" * 64, "2" * 64)}
    assert copies_to_go(LATER) == {}


# ---------------------------------------------------------------------- fetch


@pytest.fixture
def fetching(site: Site, monkeypatch: pytest.MonkeyPatch) -> StubHost:
    """A fleet of one host, cmp1, that has nova-common and less installed, and nova-common to be had."""
    host = StubHost("cmp1", repositories={NOVA})
    packages = [builders.package("nova-common", NOVA.version), builders.package("less", "590-2")]
    facts = builders.facts("cmp1", packages)

    def gathered(_: Any) -> dict[str, HostFacts]:
        return {"cmp1": facts}

    class Fleet(StubFleet):
        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(session, "gather_all", gathered)
    monkeypatch.setattr(module, "source_of", lambda manager: StubDepot())
    monkeypatch.setattr(
        "tests.rollback.conftest.NamedFleet.each", lambda _self, *rest: Fleet({"cmp1": host}).each(*rest)
    )
    return host


def test_fetch_brings_what_is_asked_for_and_names_what_cannot_be_had(
    fetching: StubHost, site: Site, escrow: Escrow
) -> None:
    assert "Fetched 1 files" in site.call("escrow", "fetch", "nova*").stdout
    assert [one.file for one in escrow.list()] == [NOVA]
    assert "all is in escrow" in site.call("escrow", "fetch", "nova*").stdout
    assert "no package is asked for" in site.call("escrow", "fetch", "neutron*").stdout
    document = site.json("escrow", "fetch", code=21)
    assert document["fetched"] == [] and [one["package"] for one in document["missing"]] == ["less:all 590-2"]
    fetching.installed = {PackageFile("deb", "less", "all", "590-2")}
    assert "1 of them rebuilt" in site.call("escrow", "fetch").stdout


def test_fetch_for_a_plan_brings_what_it_changes(fetching: StubHost, site: Site, tmp_path: Path) -> None:
    from nornir_upgrade.core import codec

    want = (PackageWant("nova-common", "all", "2", "installed"), PackageWant("new", "all", "1", "installed"))
    plan = builders.plan(("one", {"cmp1": [SetPackages(want)]}))
    (tmp_path / "plan.json").write_text(codec.dumps(plan))
    document = site.json("escrow", "fetch", "--plan", "plan.json")
    assert [one["file"]["name"] for one in document["fetched"]] == ["nova-common"]
    assert "no such file" in site.call("escrow", "fetch", "--plan", "none.json", code=10).stderr.lower()
    site.call("escrow", "fetch", "nova*", "--plan", "plan.json", code=2)


def test_a_full_disk_ends_with_3_and_says_where(fetching: StubHost, site: Site) -> None:
    fetching.full = True
    result = site.call("escrow", "fetch", "nova*", code=DiskFull.exit_code)
    assert "cmp1: No space left on device" in result.stderr


# ---------------------------------------------------------------------- what is needed


def test_needs_are_what_changes_or_goes_and_nothing_else() -> None:
    packages = [builders.package(name, "1") for name in ("change", "remove", "purge", "stay", "same")]
    facts = {"ctl1": builders.facts("ctl1", [*packages, builders.package("gone", "1", "config-files")])}
    want = (
        PackageWant("change", "all", "2", "installed"),
        PackageWant("same", "all", "1", "installed", auto=True),
        PackageWant("remove", "all", "", "config-files"),
        PackageWant("purge", "all", "", "absent"),
        PackageWant("gone", "all", "2", "installed"),
        PackageWant("new", "all", "2", "installed"),
    )
    made = builders.plan(("one", {"ctl1": [SetPackages(want)], "away": [SetPackages(want)]}))
    assert [file.name for file in needs(made, facts)["ctl1"]] == ["change", "purge", "remove"]
    assert needs(made, facts).keys() == {"ctl1"}
    assert {file.name for file in installed(facts, ["*e", "gone"])["ctl1"]} == {"change", "remove", "purge", "same"}
    now = {"ctl1": builders.facts("ctl1", [builders.package("change", "2"), builders.package("stay", "1")])}
    assert {file.name for file in lost(facts, now)["ctl1"]} == {"change", "remove", "purge", "same"}


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (56_298_000, "56.3 MB"), (2e15, "2000.0 TB")]
)
def test_sizes_are_told_in_three_digits_or_so(size: float, text: str) -> None:
    assert in_bytes(size) == text

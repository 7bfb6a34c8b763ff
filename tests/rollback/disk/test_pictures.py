"""`rollback snapshot --whole` and `rollback diff --whole`, over fake hosts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from nornir_upgrade.core import codec
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.filesystem import mounts
from nornir_upgrade.core.store import Store
from rollback.snapshot import entries, find
from tests.builders import facts
from tests.fake import files, pictures
from tests.fake.state import File
from tests.rollback.conftest import Site

RULES = """\
format: "1.0"
rules:
  - {name: notes, reason: Notes are of no importance here., paths: [/srv/notes/*], aspects: [presence]}
"""


@pytest.fixture
def whole(site: Site) -> Site:
    for host in site.fleet.hosts.values():
        pictures.place(host.state)
    return site


def put(site: Site, host: str, path: str, text: str = "x") -> None:
    state = site.fleet.hosts[host].state
    files.make_directories(state, files.parent(path))
    files.put(state, path, File("file", data=text.encode()))


def told(document: Mapping[str, object]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for host, one in document["whole"].items():  # type: ignore[attr-defined]
        found[host] = [change["path"] for change in one["unexplained"]]
    return found


def test_nothing_differs_where_nothing_was_done(whole: Site) -> None:
    assert whole.json("snapshot", "--whole")["whole"]
    document = whole.json("diff", "--whole", "--detailed-exitcode")
    assert told(document) == {"cmp1": [], "ctl1": []}
    assert document["whole"]["cmp1"]["paths"] > 10


def test_what_differs_is_told_by_host_and_path_and_by_the_rule_that_explains_it(whole: Site) -> None:
    put(whole, "cmp1", "/var/log/x.log")
    whole.call("snapshot", "--whole")
    put(whole, "cmp1", "/var/log/x.log", "y")
    put(whole, "cmp1", "/srv/a\nb")
    result = whole.call("diff", "--whole", "--detailed-exitcode", code=100)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["cmp1", "/srv/a\\nb", "file", "comes"] in lines
    assert ["logs", "1", "Programs", "append"] in [line[:4] for line in lines]
    assert "Not compared on cmp1, ctl1: /data (nfs4, on the network); /proc (proc, in memory)" in result.stdout
    assert "cmp1: " in result.stderr and "paths are in the picture" in result.stderr


def test_of_very_many_differences_the_first_are_told_and_the_document_has_all(whole: Site) -> None:
    whole.call("snapshot", "--whole")
    for number in range(250):
        put(whole, "cmp1", f"/srv/{number}")
    assert "... and 50 more" in whole.call("diff", "--whole", "--limit", "cmp1").stdout
    assert len(told(whole.json("diff", "--whole", "--limit", "cmp1"))["cmp1"]) == 250


def test_two_snapshots_are_compared_without_a_host(whole: Site) -> None:
    whole.call("snapshot", "--whole", "--label", "one")
    put(whole, "cmp1", "/srv/x")
    whole.call("snapshot", "--whole", "--label", "two")
    put(whole, "cmp1", "/srv/y")
    assert "/srv/x" in told(whole.json("diff", "one", "two", "--whole"))["cmp1"]
    assert "/srv/y" not in told(whole.json("diff", "one", "two", "--whole"))["cmp1"]
    assert told(whole.json("diff", "two", "one", "--whole")).keys() == {"cmp1", "ctl1"}


def test_rules_of_ones_own_explain_more(whole: Site, tmp_path: Path) -> None:
    put(whole, "cmp1", "/srv/notes/old")
    whole.call("snapshot", "--whole")
    put(whole, "cmp1", "/srv/notes/new")
    (tmp_path / "own.yaml").write_text(RULES)
    assert told(whole.json("diff", "--whole"))["cmp1"] == ["/srv/notes/new"]
    document = whole.json("diff", "--whole", "--rules", "own.yaml", "--detailed-exitcode")
    (rule,) = document["whole"]["cmp1"]["explained"]
    assert rule == {"rule": "notes", "reason": "Notes are of no importance here.", "count": 1}


def test_rules_are_of_no_use_without_whole(whole: Site, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(RULES)
    whole.call("snapshot")
    assert "--rules is for --whole" in whole.call("diff", "--rules", "own.yaml", code=2).stderr


def test_a_snapshot_without_pictures_is_refused_with_the_remedy(whole: Site) -> None:
    whole.call("snapshot")
    result = whole.call("diff", "--whole", code=10)
    assert "has no picture of whole disks" in result.stderr and "rollback snapshot --whole" in result.stderr


def test_a_host_that_cannot_be_looked_at_costs_no_other_its_picture(whole: Site) -> None:
    whole.fleet.hosts["cmp1"].state.files.pop(mounts.TABLE)
    result = whole.call("snapshot", "--whole", code=24)
    assert "Without a picture in the snapshot: cmp1" in result.stderr
    (one,) = entries(whole.journal)
    assert [(host.host, bool(host.picture)) for host in one.hosts] == [("cmp1", False), ("ctl1", True)]
    pictures.place(whole.fleet.hosts["cmp1"].state)
    assert told(whole.json("diff", "--whole")) == {"ctl1": []}


def test_a_damaged_picture_is_refused(whole: Site, tmp_path: Path) -> None:
    whole.call("snapshot", "--whole")
    (picture,) = {one.picture for one in find(whole.journal, "last").hosts if one.host == "cmp1"}
    file = tmp_path / "store" / picture[:2] / picture
    file.write_bytes(file.read_bytes()[:-1])
    assert "damaged" in whole.call("diff", "--whole", code=22).stderr


def test_equal_pictures_are_kept_once_and_stay_when_the_rest_is_pruned(whole: Site, tmp_path: Path) -> None:
    whole.call("snapshot", "--whole")
    whole.call("snapshot", "--whole")
    store = Store(tmp_path / "store")
    kept = [{host.picture for host in one.hosts} for one in entries(whole.journal)]
    assert kept[0] == kept[1] == set(store.digests())
    unreferenced = store.put(b"waste")
    whole.call("escrow", "prune", "--yes")
    assert unreferenced not in store and kept[0] == set(store.digests())


def test_a_picture_that_was_lost_is_told_with_its_snapshot_and_host(whole: Site, tmp_path: Path) -> None:
    kept = whole.json("snapshot", "--whole")["snapshot"]
    whole.call("escrow", "verify")
    for digest in tuple(Store(tmp_path / "store").digests()):
        Store(tmp_path / "store").remove(digest)
    assert (
        f"picture in snapshot {kept} of cmp1: the store holds no object"
        in whole.call("escrow", "verify", code=22).stdout
    )


def test_facts_written_before_there_were_pictures_are_read() -> None:
    known = facts("a")
    document = codec.to_builtins(known)
    assert document.pop("picture") == ""
    assert codec.from_builtins(document, HostFacts) == replace(known, picture="")

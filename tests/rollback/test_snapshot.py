"""Snapshots in the journal: kept, found by every name they have, and the runs since."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from nornir_upgrade.core.errors import InvalidInput, UnknownName
from nornir_upgrade.core.facts.gather import Database
from nornir_upgrade.core.journal import Journal
from nornir_upgrade.core.plan import Plan
from rollback.snapshot import Recorded, SnapshotEntry, before_run, diff, entries, find, keep, read, runs_since
from tests.builders import MOMENT, facts, package, running

FORWARD = Plan("forward", "a scenario", ())
BACK = Plan("rollback", "a snapshot", ())
LATER = "2999-01-01T00:00:00+00:00"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def test_what_was_kept_is_read_back_whole(journal: Journal) -> None:
    hosts = (facts("b", (package("nova", "1", hold=True),), running("nova")), facts("a"))
    kept = keep(journal, hosts, run="r", label="before")
    assert read(journal, kept.id) == kept
    assert kept.names == ("a", "b")
    assert (kept.label, kept.run, kept.of("b")) == ("before", "r", hosts[0])


def test_the_list_tells_of_hosts_all_that_it_promises(journal: Journal) -> None:
    assert entries(journal) == ()
    data = (Database("nova", "0" * 64),)
    hosts = (facts("b", (package("nova", "1"),), databases=data, at=LATER), facts("a"))
    one = keep(journal, hosts, run="r", label="before")
    other = keep(journal, (facts("c"),))
    assert entries(journal) == (
        SnapshotEntry(one.id, "before", LATER, "r", (Recorded("a", MOMENT), Recorded("b", LATER, data))),
        SnapshotEntry(other.id, "", MOMENT, "", (Recorded("c", MOMENT),)),
    )


def test_the_latest_snapshot_of_a_label_is_meant(journal: Journal) -> None:
    _, later, _ = (keep(journal, (facts(),), label=label) for label in ("weekly", "weekly", "other"))
    assert find(journal, "weekly").id == later.id


def test_every_name_of_a_snapshot_finds_it(journal: Journal) -> None:
    run = journal.open_run(FORWARD)
    one, other = keep(journal, (facts(),), run=run.id), keep(journal, (facts(),))
    for name in (other.id, "last"):
        assert find(journal, name).id == other.id
    for name in (one.id, "last-1", run.id):
        assert find(journal, name).id == one.id
    for name in ("", "last-2", one.id[:8], "elsewhere"):
        with pytest.raises(UnknownName) as caught:
            find(journal, name)
        assert one.id in caught.value.hint


def test_a_host_that_was_not_recorded_is_named_with_those_that_were(journal: Journal) -> None:
    with pytest.raises(UnknownName) as caught:
        keep(journal, (facts("ctl1"),)).of("cmp1")
    assert "ctl1" in caught.value.hint


def test_last_means_the_run_forward_though_a_way_back_was_begun(journal: Journal) -> None:
    forward = journal.open_run(FORWARD)
    kept = keep(journal, (facts(),), run=forward.id)
    journal.open_run(replace(FORWARD, direction="unwind"), parent=forward.id)
    assert before_run(journal, "last").id == kept.id
    journal.open_run(replace(FORWARD, direction="rollback", origin=kept.id))
    assert before_run(journal, "last").id == kept.id


def test_a_run_without_a_snapshot_is_refused_with_what_to_do(journal: Journal) -> None:
    run = journal.open_run(FORWARD)
    with pytest.raises(InvalidInput, match=f"no snapshot was taken before run {run.id}") as caught:
        before_run(journal, "last")
    assert "--snapshot" in caught.value.hint


def test_runs_since_a_snapshot_begin_with_its_own(journal: Journal) -> None:
    journal.open_run(FORWARD)
    own, later = journal.open_run(FORWARD), journal.open_run(BACK)
    kept = keep(journal, (facts(at=LATER),), run=own.id)
    assert [run.id for run in runs_since(journal, kept)] == [own.id, later.id]


def test_runs_since_a_snapshot_of_its_own_are_those_opened_after_it(journal: Journal) -> None:
    run = journal.open_run(FORWARD)
    early, late = keep(journal, (facts(at="2000-01-01T00:00:00+00:00"),)), keep(journal, (facts(at=LATER),))
    assert [one.id for one in runs_since(journal, early)] == [run.id]
    assert runs_since(journal, late) == ()


def test_a_snapshot_that_is_no_snapshot_is_refused_by_name(journal: Journal) -> None:
    found = journal.keep_snapshot('[{"host": "a"}]')
    for every in (entries, partial(read, name=found)):
        with pytest.raises(InvalidInput, match=f"snapshot {found}"):
            every(journal)


def test_differences_are_told_of_the_hosts_that_both_sides_know() -> None:
    then = {"a": facts("a", (package("nova", "1"),)), "b": facts("b")}
    now = {"a": facts("a", (package("nova", "2"),)), "c": facts("c")}
    assert [(one.host, one.area, one.name) for one in diff(then, now)] == [("a", "packages", "nova:all")]

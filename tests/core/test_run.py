"""Ways back, read off a run."""

from dataclasses import replace

import pytest

from nornir_upgrade.core.engine import Policy
from nornir_upgrade.core.errors import Irreversible, StateDiffers
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.run import Event, Run, unwind
from tests.core.toys import Keep, Note, Site, plan_of
from tests.fake.faults import raises_on


def back(site: Site, run: Run, **fields: frozenset[str]) -> list[tuple[str, str, object]]:
    """(wave, host, step) of the plan that undoes the run."""
    return [(wave.name, host, step) for wave, host, step in unwind(site.journal.run(run.id), **fields).steps()]


def test_unwinding_goes_backwards_through_steps_and_waves(site: Site) -> None:
    run = site.open(plan_of({"a": [Note("/tmp/1", "x"), Note("/tmp/2", "x")]}, {"b": [Note("/tmp/3", "x")]}))
    site.execute(run)
    assert back(site, run) == [
        ("undo wave 1", "b", Note("/tmp/3", None)),
        ("undo wave 0", "a", Note("/tmp/2", None)),
        ("undo wave 0", "a", Note("/tmp/1", None)),
    ]


def test_a_step_that_was_started_counts_as_done(site: Site) -> None:
    run = site.open(plan_of({"a": [Note("/tmp/1", "x"), Note("/tmp/2", "refused"), Note("/tmp/3", "x")]}))
    site.execute(run)
    assert [step for _, _, step in back(site, run)] == [Note("/tmp/2", None), Note("/tmp/1", None)]


def test_a_covered_step_is_undone_by_the_capture_where_it_was_made(site: Site) -> None:
    site.fleet.hosts["a"].write("/tmp/data", b"old")
    covered = Note("/tmp/data", "migrated", covered="data")
    run = site.open(plan_of({"a": [Keep("/tmp/data", "data")]}, {"b": [covered]}))
    site.execute(run)
    restore = Note("/tmp/data", "old")
    assert back(site, run) == [("undo wave 1", "a", restore), ("undo wave 0", "a", restore)]


def test_what_hosts_share_is_restored_only_while_all_of_them_stand_still(site: Site) -> None:
    site.fleet.hosts["a"].write("/tmp/data", b"old")
    stop, keep, migrate, start = plan_of(
        {"a": [Note("/tmp/1", "x")], "b": [Note("/tmp/1", "x")]},
        {"a": [Keep("/tmp/data", "data")]},
        {"a": [Note("/tmp/data", "migrated", covered="data")]},
        {"b": [Note("/tmp/2", "x")]},
    ).waves
    run = site.open(Plan("forward", "toy", (stop, replace(keep, together=(("a", "b"),)), migrate, start)))
    site.execute(run)
    undone = unwind(site.journal.run(run.id)).waves
    assert [wave.name for wave in undone if wave.together] == ["undo wave 2"]
    site.fleet.hosts["b"].faults.hook = raises_on("place /tmp/2", lambda: StateDiffers("will not stop"))
    outcome = site.execute(site.open(unwind(site.journal.run(run.id)), parent=run.id), Policy(max_fail=0))
    assert set(outcome.failed) == {"a", "b"} and site.notes("a")["/tmp/data"] == "migrated"


def test_a_covered_step_whose_capture_was_never_made_has_no_way_back(site: Site) -> None:
    run = site.open(plan_of({"a": [Note("/tmp/1", "x")], "b": [Note("/tmp/data", "x", covered="data")]}))
    site.execute(run)
    with pytest.raises(Irreversible, match="never captured"):
        back(site, run)
    assert back(site, run, consent=frozenset("b")) == [("undo wave 0", "a", Note("/tmp/1", None))]


def test_a_point_of_no_return_that_was_passed_is_left_only_with_consent(site: Site) -> None:
    steps = [Note("/tmp/1", "x"), Note("/tmp/2", "x", no_way_back="forever")]
    journal = site.journal
    run = site.open(plan_of({"a": list(steps)}))
    for index in (0, 1):
        before = Note("/tmp/1", None) if index == 0 else None
        journal.append(run.id, "step_started", wave=0, host="a", index=index, before=before)
    with pytest.raises(Irreversible, match="forever"):
        back(site, run)
    assert back(site, run, consent=frozenset("a")) == [("undo wave 0", "a", Note("/tmp/1", None))]


def test_a_point_of_no_return_that_was_not_reached_does_not_matter(site: Site) -> None:
    run = site.open(plan_of({"a": [Note("/tmp/1", "x"), Note("/tmp/2", "x", no_way_back="forever")]}))
    site.journal.append(run.id, "step_started", wave=0, host="a", index=0, before=Note("/tmp/1", None))
    assert len(back(site, run)) == 1


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "open"),
        ([("run_ended", "failed")], "untouched"),
        ([("step_started", ""), ("run_ended", "failed")], "open"),
        ([("step_started", ""), ("run_ended", "succeeded")], "succeeded"),
        ([("step_started", ""), ("run_ended", "failed"), ("run_ended", "succeeded")], "succeeded"),
        ([("step_started", ""), ("run_ended", "failed"), ("run_undone", "other")], "undone"),
    ],
)
def test_the_status_of_a_run(site: Site, events: list[tuple[str, str]], status: str) -> None:
    run = site.open(plan_of({"a": [Note("/tmp/1", "x")]}))
    for what, text in events:
        place = {"wave": 0, "host": "a", "index": 0} if what == "step_started" else {}
        site.journal.append(run.id, what, text=text, **place)  # type: ignore[arg-type]
    assert site.journal.run(run.id).status == status


def test_a_failure_stands_until_its_step_succeeds(site: Site) -> None:
    def event(what: str, index: int) -> Event:
        return Event(0, "", "", what, wave=0, host="a", index=index)  # type: ignore[arg-type]

    run = Run("r", "", plan_of({"a": [Note("/tmp/1", "x")]}))
    failed = (event("host_failed", -1), event("step_started", 0), event("step_failed", 0))
    assert [one.what for one in Run("r", "", run.plan, failed).failures] == ["step_failed"]
    assert Run("r", "", run.plan, (*failed, event("step_started", 0), event("step_done", 0))).failures == ()

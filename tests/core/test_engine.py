"""`execute`: what it does, when it stops, what it writes down."""

import pytest

from nornir_upgrade.core.engine import HeldBack, Policy
from nornir_upgrade.core.errors import Drift, Irreversible, StateDiffers, Unreachable
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import unwind
from nornir_upgrade.core.step import Step
from tests.core.toys import Exists, Note, Site, Trace, plan_of
from tests.fake.faults import Crash, raises_on

ONE, TWO, BAD = Note("/tmp/1", "one"), Note("/tmp/2", "two"), Note("/tmp/3", "refused")


def test_a_run_does_every_step_in_order_and_writes_it_down(site: Site) -> None:
    run = site.open(plan_of({"a": [ONE, TWO]}, gates={"a": [Exists("/tmp/2")]}))
    assert site.execute(run).succeeded
    assert site.notes("a") == {"/tmp/1": "one", "/tmp/2": "two"}
    assert [what for what, _ in site.said(run)] == [
        "run_opened",
        "wave_opened",
        "step_started",
        "step_done",
        "step_started",
        "step_done",
        "gate_passed",
        "wave_closed",
        "run_ended",
    ]
    assert site.journal.run(run.id).status == "succeeded"


def test_what_was_true_is_durable_before_the_host_is_touched(site: Site) -> None:
    run = site.open(plan_of({"a": [ONE]}))
    site.fleet.hosts["a"].faults.hook = raises_on("write", Crash)
    with pytest.raises(Crash):
        site.execute(run)
    assert site.notes("a") == {}
    (before,) = site.journal.run(run.id).started.values()
    assert before == Note("/tmp/1", None)


def test_a_failed_host_is_left_alone_and_the_others_finish_their_wave(site: Site) -> None:
    run = site.open(plan_of({"a": [BAD, ONE], "b": [ONE, TWO]}, {"b": [Note("/tmp/later", "x")]}))
    outcome = site.execute(run)
    assert isinstance(outcome.failed["a"], StateDiffers) and not outcome.finished
    assert site.notes("a") == {}
    assert site.notes("b") == {"/tmp/1": "one", "/tmp/2": "two"}
    assert site.journal.run(run.id).status == "open"


@pytest.mark.parametrize(
    ("max_fail", "bad", "later"), [(1, "", True), (1, "a", False), (2, "a", True), (2, "ab", False), (0, "ab", True)]
)
def test_the_run_is_closed_when_the_limit_of_failures_is_reached(
    site: Site, max_fail: int, bad: str, later: bool
) -> None:
    first: dict[str, list[Step]] = {name: [BAD if name in bad else ONE] for name in "abc"}
    run = site.open(plan_of(first, {"c": [TWO]}))
    outcome = site.execute(run, Policy(max_fail=max_fail))
    assert set(outcome.failed) == set(bad)
    assert outcome.finished is later
    assert ("/tmp/2" in site.notes("c")) is later


def test_an_unreachable_host_counts_as_failed(site: Site) -> None:
    site.fleet.hosts["b"].faults.unreachable = True
    run = site.open(plan_of({"a": [ONE], "b": [ONE]}, {"a": [TWO]}))
    outcome = site.execute(run)
    assert isinstance(outcome.failed["b"], Unreachable)
    assert site.notes("a") == {"/tmp/1": "one"}


def test_a_host_that_failed_is_not_touched_in_later_waves(site: Site) -> None:
    run = site.open(plan_of({"a": [BAD], "b": [ONE]}, {"a": [TWO], "b": [TWO]}))
    outcome = site.execute(run, Policy(max_fail=0))
    assert outcome.finished and not outcome.succeeded
    assert site.notes("a") == {} and site.notes("b") == {"/tmp/1": "one", "/tmp/2": "two"}
    closed = [event.wave for event in site.journal.run(run.id).events if event.what == "wave_closed"]
    assert closed == []


def test_a_gate_that_fails_closes_its_wave(site: Site) -> None:
    run = site.open(plan_of({"a": [ONE]}, {"a": [TWO]}, gates={"a": [Exists("/tmp/none")]}))
    assert not site.execute(run).succeeded
    assert site.notes("a") == {"/tmp/1": "one"}
    assert ("gate_failed", "a") in site.said(run) and ("host_failed", "a") not in site.said(run)
    assert ("wave_closed", "") not in site.said(run)


def test_resume_does_what_is_left_and_the_first_before_counts(site: Site) -> None:
    run = site.open(plan_of({"a": [ONE, TWO]}, {"a": [Note("/tmp/1", "again")]}))
    site.fleet.hosts["a"].faults.hook = raises_on("write /tmp/2", lambda: Unreachable("gone"), moment="after")
    assert not site.execute(run).succeeded
    assert site.execute(run).succeeded
    assert site.notes("a") == {"/tmp/1": "again", "/tmp/2": "two"}
    # The second step had written before its host was lost; what was true before is what the first attempt saw.
    assert [step for place, step in site.journal.run(run.id).started.items() if place.index == 1] == [
        Note("/tmp/2", None)
    ]
    assert site.said(run).count(("step_started", "a")) == 4
    assert site.journal.run(run.id).failures == ()


def test_stop_after_ends_the_run_between_two_waves(site: Site) -> None:
    run = site.open(plan_of({"a": [ONE]}, {"b": [ONE]}, {"c": [ONE]}))
    outcome = site.execute(run, Policy(stop_after=1))
    assert not outcome.finished and not outcome.failed
    assert site.notes("a") and not site.notes("b")
    assert site.execute(run, Policy(stop_after=2)).succeeded
    assert site.notes("b") and site.notes("c")


def test_asked_to_stop_it_ends_after_the_step_under_way(site: Site) -> None:
    policy = Policy()
    run = site.open(plan_of({"a": [ONE, TWO]}, {"a": [Note("/tmp/3", "x")]}))
    site.journal.watchers.append(lambda event: policy.stopping.set() if event.what == "step_done" else None)
    outcome = site.execute(run, policy)
    assert not outcome.finished and not outcome.failed
    assert site.notes("a") == {"/tmp/1": "one"}
    assert site.journal.run(run.id).events[-1].text == "interrupted"
    site.journal.watchers.clear()
    assert site.execute(run).succeeded


def test_a_host_that_drifted_is_refused_before_it_is_touched(site: Site) -> None:
    wave = Wave("w", (Work("a", (ONE,), "other"), Work("b", (ONE,), "b")))
    run = site.open(Plan("forward", "toy", (wave,)))
    outcome = site.execute(run, Policy(max_fail=0))
    assert isinstance(outcome.failed["a"], Drift) and set(outcome.failed) == {"a"}
    assert site.notes("a") == {} and site.notes("b")
    assert ("host_failed", "a") in site.said(run)


def test_a_host_that_was_begun_is_not_asked_for_drift_again(site: Site) -> None:
    run = site.open(Plan("forward", "toy", (Wave("w", (Work("a", (ONE, BAD), "a"),)),)))
    site.execute(run)
    changed = site.fleet.hosts["a"]
    changed.state.name = "a"
    outcome = site.execute(run)
    assert isinstance(outcome.failed["a"], StateDiffers)


def test_a_point_of_no_return_needs_consent_before_anything_is_touched(site: Site) -> None:
    forever = Note("/tmp/x", "x", no_way_back="it is forever")
    run = site.open(plan_of({"b": [ONE]}, {"a": [forever]}))
    with pytest.raises(Irreversible, match="forever"):
        site.execute(run)
    assert site.notes("b") == {}
    assert site.execute(run, Policy(consent=frozenset("a"))).succeeded


def test_an_undo_that_fails_on_one_host_does_not_stop_the_others(site: Site) -> None:
    run = site.open(plan_of({name: [ONE, TWO] for name in "abc"}))
    site.execute(run)
    site.fleet.hosts["b"].faults.hook = raises_on("place /tmp/1", lambda: StateDiffers("will not go"))
    back = site.open(unwind(site.journal.run(run.id)), parent=run.id)
    outcome = site.execute(back, Policy(max_fail=0))
    assert set(outcome.failed) == {"b"}
    assert site.notes("a") == site.notes("c") == {} and site.notes("b") == {"/tmp/1": "one"}
    assert site.execute(back, Policy(max_fail=0)).succeeded
    assert site.notes("b") == {}


def _in_step(changing: str = "bc") -> Plan:
    """a and b share data, c has its own: all stop (a refuses), then the data change, then the rest."""
    stop = Wave("stop", (Work("a", (BAD,)), Work("b", (ONE,)), Work("c", (ONE,))))
    data = Wave("data", tuple(Work(host, (TWO,)) for host in changing), together=(("a", "b"), ("c",)))
    return Plan("rollback", "toy", (stop, data, Wave("rest", tuple(Work(host, (TRACE,)) for host in "bc"))))


def test_who_shares_data_with_a_host_that_failed_does_not_go_on_without_it(site: Site) -> None:
    site.fleet.hosts["c"].write("/tmp/needed", b"")
    outcome = site.execute(run := site.open(_in_step()), Policy(max_fail=0))
    assert isinstance(outcome.failed["a"], StateDiffers) and isinstance(outcome.failed["b"], HeldBack)
    assert set(outcome.failed) == set("ab") and site.journal.run(run.id).status == "open"
    assert site.notes("b") == {"/tmp/1": "one"}
    assert site.notes("c") == {"/tmp/1": "one", "/tmp/2": "two", "/tmp/needed": "", "/tmp/trace": "x"}
    told = [event.error for event in site.journal.run(run.id).failures if event.host == "b"]
    assert told == ["held-back: b: not continued: it shares data with a, which failed"]


def test_hosts_that_were_held_back_go_on_when_the_one_that_failed_does(site: Site) -> None:
    for name in "bc":
        site.fleet.hosts[name].write("/tmp/needed", b"")
    plan = _in_step()
    stop = Wave("stop", (Work("a", (Note("/tmp/1", "one"),)), *plan.waves[0].work[1:]))
    run = site.open(Plan("rollback", "toy", (stop, *plan.waves[1:])))
    site.fleet.hosts["a"].faults.hook = raises_on("write", lambda: StateDiffers("will not stop"))
    assert site.execute(run, Policy(max_fail=0)).failed.keys() == set("ab")
    assert site.execute(run, Policy(max_fail=0)).succeeded
    assert site.notes("b")["/tmp/2"] == "two" and site.journal.run(run.id).failures == ()


def test_a_group_is_held_back_again_when_its_host_fails_again(site: Site) -> None:
    """Though all that the wave itself had to do was done, on others: it is not closed."""
    site.fleet.hosts["c"].write("/tmp/needed", b"")
    run = site.open(_in_step(changing="c"))
    for _ in range(2):
        assert site.execute(run, Policy(max_fail=0)).failed.keys() == set("ab")
    assert site.notes("b") == {"/tmp/1": "one"}


def test_hosts_that_are_held_back_do_not_count_among_those_that_may_fail(site: Site) -> None:
    outcome = site.execute(site.open(_in_step()), Policy(max_fail=2))
    assert outcome.finished and isinstance(outcome.failed["c"], StateDiffers)


def test_a_failure_of_the_program_itself_is_written_down_as_a_bug(site: Site) -> None:
    site.fleet.hosts["a"].faults.hook = raises_on("write", lambda: ZeroDivisionError("oops"))
    run = site.open(plan_of({"a": [ONE]}))
    assert not site.execute(run).succeeded
    (failure,) = site.journal.run(run.id).failures
    assert failure.error == "bug: ZeroDivisionError: oops"


# ---------------------------------------------------------------------- jobs of steps

TRACE = Trace("/tmp/trace", "/tmp/needed")


def test_a_job_that_was_done_when_the_controller_died_is_not_done_twice(site: Site) -> None:
    host = site.fleet.hosts["a"]
    host.write("/tmp/needed", b"")
    run = site.open(plan_of({"a": [TRACE]}))
    host.faults.hook = raises_on("job", Crash, moment="after")
    with pytest.raises(Crash):
        site.execute(run)
    assert site.execute(run).succeeded
    assert site.notes("a")["/tmp/trace"] == "x"


def test_a_step_that_failed_runs_its_job_anew(site: Site) -> None:
    run = site.open(plan_of({"a": [TRACE]}))
    assert not site.execute(run).succeeded
    site.fleet.hosts["a"].write("/tmp/needed", b"")
    assert site.execute(run).succeeded
    assert site.notes("a")["/tmp/trace"] == "xx"


def test_a_job_whose_host_was_lost_is_followed_on_and_not_begun_again(site: Site) -> None:
    host = site.fleet.hosts["a"]
    host.write("/tmp/needed", b"")
    host.faults.hook = raises_on("job", lambda: Unreachable("gone"), moment="after")
    run = site.open(plan_of({"a": [TRACE]}))
    assert not site.execute(run).succeeded
    assert site.execute(run).succeeded
    assert site.notes("a")["/tmp/trace"] == "x"


def test_a_run_that_is_over_leaves_no_record_of_jobs_on_its_hosts(site: Site) -> None:
    host = site.fleet.hosts["a"]
    run = site.open(plan_of({"a": [TRACE, Note("/tmp/1", "x")]}))
    site.execute(run)
    host.write("/tmp/needed", b"")
    host.faults.hook = raises_on("write /tmp/1", Crash)
    with pytest.raises(Crash):
        site.execute(run)
    assert host.state.jobs
    assert site.execute(run).succeeded
    assert host.state.jobs == {}


def test_a_run_that_was_undone_leaves_no_record_of_jobs_either(site: Site) -> None:
    host = site.fleet.hosts["a"]
    host.write("/tmp/needed", b"")
    run = site.open(plan_of({"a": [TRACE, Note("/tmp/1", "x"), Note("/tmp/2", "refused")]}))
    site.execute(run)
    assert host.state.jobs
    assert site.execute(site.open(unwind(site.journal.run(run.id)), parent=run.id)).succeeded
    assert host.state.jobs == {}

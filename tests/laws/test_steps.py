"""The laws of steps, for every kind that is registered."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import nornir_upgrade.steps.registry  # noqa: F401  # registers every kind
from nornir_upgrade.core import codec, engine
from nornir_upgrade.core.errors import Failure, InvalidInput
from nornir_upgrade.core.step import REGISTRY, Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host
from nornir_upgrade.steps import gates
from tests.fake import state
from tests.fake.faults import Crash, Faults, JobCut, dies_at
from tests.fake.host import FakeHost
from tests.laws.strategies import STRATEGIES, Case, cases

KINDS = sorted(kind for kind, step in REGISTRY.items() if step.__module__.startswith("nornir_upgrade."))
LAWS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def store(arena: Path) -> Store:
    return Store(arena / "store")


def test_every_registered_kind_has_a_strategy() -> None:
    assert sorted(STRATEGIES) == KINDS


def site(host: Host, scope: str) -> Host:
    """The host as a run of that name sees it: its jobs are its own."""
    return engine._scoped(host, f"{scope}.")


def begin(case: Case, arena: Path, faults: Faults | None = None) -> FakeHost:
    """The case's host, at its beginning."""
    path = arena / "h1.host"
    path.unlink(missing_ok=True)
    state.save(case.host, path)
    return FakeHost(path, faults)


def seen(host: FakeHost, step: Step) -> object:
    """What of the host this step is answerable for: packages answer for packages, all others for the whole host."""
    whole = state.observable(host.state)
    if step.KIND != "packages":
        return whole
    return {name: (one.version, one.state, one.selection, one.auto, one.broken) for name, one in whole.packages.items()}


def undo(step: Step, before: Step | None, host: FakeHost, store: Store, restore: Step | None) -> None:
    """Do what `unwind` would: a covered step is undone by its capture."""
    back = restore if step.covered_by else before
    if back is not None:
        back.apply(site(host, "undo"), store)


def captured(step: Step, host: FakeHost, store: Store) -> Step | None:
    """What the capture that covers a step would restore."""
    if not step.covered_by:
        return None
    dump = REGISTRY["dump_database"](step.covered_by.removeprefix("database "))  # type: ignore[call-arg]
    return dump.observe(site(host, "capture"), store)


def try_to_apply(step: Step, host: Host, store: Store) -> bool:
    """Gates may say no; everything else must succeed."""
    try:
        step.apply(host, store)
    except Failure:
        if not isinstance(step, gates.Gate):
            raise
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_observe_changes_nothing(kind: str, store: Store, arena: Path) -> None:
    @LAWS
    @given(cases(kind, store))
    def law(case: Case) -> None:
        host = begin(case, arena)
        before = state.observable(host.state)
        case.step.observe(site(host, "run"), store)
        assert state.observable(FakeHost(host.path).state) == before

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_undo_restores_what_observe_saw(kind: str, store: Store, arena: Path) -> None:
    @LAWS
    @given(cases(kind, store))
    def law(case: Case) -> None:
        host = begin(case, arena)
        start = seen(host, case.step)
        restore = captured(case.step, host, store)
        before = case.step.observe(site(host, "run"), store)
        try_to_apply(case.step, site(host, "run"), store)
        undo(case.step, before, host, store, restore)
        assert seen(host, case.step) == start
        assert case.step.observe(site(host, "look"), store) == before

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_twice_is_once(kind: str, store: Store, arena: Path) -> None:
    @LAWS
    @given(cases(kind, store))
    def law(case: Case) -> None:
        host = begin(case, arena)
        first = try_to_apply(case.step, site(host, "one"), store)
        once = state.observable(host.state)
        assert try_to_apply(case.step, site(host, "two"), store) == first
        assert state.observable(host.state) == once

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_gates_alone_observe_nothing_and_change_nothing(kind: str, store: Store, arena: Path) -> None:
    @LAWS
    @given(cases(kind, store))
    def law(case: Case) -> None:
        host = begin(case, arena)
        start = state.observable(host.state)
        back = case.step.observe(site(host, "run"), store)
        if isinstance(case.step, gates.Gate):
            assert back is None
            try_to_apply(case.step, host, store)
            assert state.observable(host.state) == start
        else:
            assert (back is None) == bool(case.step.covered_by or case.step.point_of_no_return)

    law()


def crashes(case: Case, arena: Path, store: Store) -> Iterator[tuple[str, bool, FakeHost, Step | None]]:
    """The step, cut off at every moment there is: (where, whether the host's job was cut, a new controller's host, before)."""
    number = 0
    while True:
        number += 1
        host = begin(case, arena, Faults(dies_at(number)))
        before = None
        try:
            before = case.step.observe(site(host, "run"), store)
            try_to_apply(case.step, site(host, "run"), store)
        except (Crash, JobCut) as death:
            yield f"moment {number}, {death}", isinstance(death, JobCut), FakeHost(host.path), before
        else:
            return


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_anywhere_then_unwind_is_the_start(kind: str, store: Store, arena: Path) -> None:
    @LAWS
    @given(cases(kind, store))
    def law(case: Case) -> None:
        host = begin(case, arena)
        start = seen(host, case.step)
        restore = captured(case.step, host, store)
        for where, _, wreck, before in crashes(case, arena, store):
            note(where)
            undo(case.step, before, wreck, store, restore)
            assert seen(wreck, case.step) == start, where

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_anywhere_then_resume_is_the_uncrashed_end(kind: str, store: Store, arena: Path) -> None:
    @LAWS
    @given(cases(kind, store))
    def law(case: Case) -> None:
        host = begin(case, arena)
        try_to_apply(case.step, site(host, "run"), store)
        end, whole = seen(host, case.step), state.observable(host.state)
        for where, cut, wreck, _ in crashes(case, arena, store):
            note(where)
            try_to_apply(case.step, site(wreck, "run"), store)
            assert seen(wreck, case.step) == end, where
            assert cut or state.observable(wreck.state) == whole, where

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_the_codec_brings_steps_back_and_refuses_what_it_does_not_know(kind: str, store: Store, arena: Path) -> None:
    @LAWS
    @given(cases(kind, store), st.text(min_size=1, max_size=5))
    def law(case: Case, extra: str) -> None:
        steps = [case.step, case.step.observe(site(begin(case, arena), "run"), store)]
        for step in steps:
            if step is None:
                continue
            text = codec.dumps(step)
            assert codec.loads(text, Step) == step  # type: ignore[type-abstract]
            fields = json.loads(text)
            if extra not in fields:
                with pytest.raises(InvalidInput):
                    codec.from_builtins(fields | {extra: None}, Step)  # type: ignore[type-abstract]
            with pytest.raises(InvalidInput):
                codec.from_builtins(fields | {"kind": "no such kind"}, Step)  # type: ignore[type-abstract]

    law()

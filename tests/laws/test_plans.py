"""The laws again, for plans of several steps on several hosts, through the real engine and a real journal."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from nornir_upgrade.core import codec
from nornir_upgrade.core.engine import Outcome
from nornir_upgrade.core.plan import Plan, Wave, Work
from nornir_upgrade.core.run import Event
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.steps.commands import RunCommand
from nornir_upgrade.steps.databases import RestoreDatabase
from nornir_upgrade.steps.files import CaptureFiles
from nornir_upgrade.steps.packages import SetPackages
from nornir_upgrade.steps.state import CaptureState
from tests.crash.harness import Act, Controller, controller
from tests.fake import state
from tests.fake.faults import Crash, Faults, JobCut, dies_at
from tests.fake.index import PROJECTS
from tests.fake.state import HostState, Service
from tests.laws.strategies import DATABASES, STRATEGIES, worlds

# One of each at most, so that no two steps of a plan fight over one thing.
MIXED = ("download", "packages", "repository", "capture_files", "restore_files", "capture_state", "ini", "services",
         "dump_database", "restore_database", "command")  # fmt: skip
CONFIGURATION = tuple(f"/etc/{project.name}" for projects in PROJECTS.values() for project in projects)
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def works(draw: st.DrawFn, name: str, store: Store) -> tuple[HostState, list[Step]]:
    """A host, and a few steps for it in any order."""
    host = draw(worlds())
    host.name = name
    steps: list[Step] = []
    kinds = draw(st.lists(st.sampled_from(MIXED), unique=True, min_size=1, max_size=5))
    # As in every plan, a download goes first, for it is of what the packages that were found there need, and a source that goes
    # goes last: what is to come back must be obtainable.
    for kind in sorted(kinds, key=lambda kind: (kind == "repository") - (kind == "download")):
        step = STRATEGIES[kind][0](draw, host, store)
        # What a command stops by itself only a capture of services would know how to start.
        assume(not (isinstance(step, RunCommand) and step.argv[0] == "systemctl"))
        # Nor does a package bring back a service that its database's schema keeps from starting.
        assume(not (isinstance(step, RestoreDatabase) and step.database in DATABASES))
        if isinstance(step, SetPackages):
            # Packages answer for packages: their configuration is captured before, and their services run.
            covered = f"configuration of {name}"
            trees = tuple(dict.fromkeys(CONFIGURATION))
            steps.append(draw(st.sampled_from([CaptureState(covered), CaptureFiles(trees, covered)])))
            step = replace(step, keep_stopped=(), configuration=covered)
        steps.append(step)
    host.services = {unit: Service(active=True, enabled=True) for unit in host.services}
    return host, steps


@st.composite
def plans(draw: st.DrawFn, store: Store) -> tuple[list[HostState], Plan]:
    """Two hosts, and a plan for them in one wave or in several."""
    drawn = [draw(works(name, store)) for name in ("h1", "h2")]
    cuts = [draw(st.integers(0, len(steps))) for _, steps in drawn]
    early = tuple(Work(host.name, tuple(steps[:cut])) for (host, steps), cut in zip(drawn, cuts, strict=True))
    late = tuple(Work(host.name, tuple(steps[cut:])) for (host, steps), cut in zip(drawn, cuts, strict=True))
    return [host for host, _ in drawn], Plan("forward", "drawn", (Wave("early", early), Wave("late", late)))


class Place:
    """A directory that a controller works in, made anew for every execution of a plan."""

    def __init__(self, arena: Path, hosts: list[HostState]) -> None:
        self.arena = arena
        self.store = arena / "store"
        for path in (*arena.glob("*.host"), *arena.glob("journal.*")):
            path.unlink()
        for host in hosts:
            state.save(host, arena / f"{host.name}.host")

    def act(self, act: Act, faults: Faults | None = None) -> tuple[Outcome, dict[str, HostState]]:
        """What a new controller makes of it, and the hosts afterwards."""
        with controller(self.arena, store=self.store) as mine:
            for host in mine.fleet.hosts.values():
                host.faults = faults or Faults()
            return act(mine), mine.fleet.observable()

    def events(self) -> tuple[Event, ...]:
        with controller(self.arena, store=self.store) as mine:
            return mine.journal.run("last").events


def look(hosts: list[HostState]) -> dict[str, HostState]:
    return {host.name: state.observable(host) for host in hosts}


@pytest.fixture
def store(arena: Path) -> Store:
    return Store(arena / "store")


def test_a_run_that_is_unwound_leaves_the_start(arena: Path, store: Store) -> None:
    @LAWS
    @given(plans(store))
    def law(drawn: tuple[list[HostState], Plan]) -> None:
        hosts, plan = drawn
        place = Place(arena, hosts)
        outcome, _ = place.act(lambda mine: mine.forward(plan))
        note(str(outcome.failed))
        back, found = place.act(Controller.unwind)
        assert back.succeeded, back.failed
        assert found == look(hosts)

    law()


@pytest.mark.parametrize("unwound", [True, False], ids=["unwound", "resumed"])
def test_a_crash_anywhere_leaves_the_start_or_the_end(arena: Path, store: Store, unwound: bool) -> None:
    @LAWS
    @given(plans(store), st.integers(0, 10_000))
    def law(drawn: tuple[list[HostState], Plan], number: int) -> None:
        hosts, plan = drawn
        Place(arena, hosts).act(lambda mine: mine.forward(plan))  # what the store holds by now is not fetched again
        counted = Faults()
        whole, end = Place(arena, hosts).act(lambda mine: mine.forward(plan), counted)
        assume(counted.moments and (unwound or whole.succeeded))
        place, faults = Place(arena, hosts), Faults(dies_at(1 + number % counted.moments))
        with pytest.raises((Crash, JobCut)) as caught:
            place.act(lambda mine: mine.forward(plan), faults)
        note(str(caught.value))
        if unwound:
            back, found = place.act(Controller.unwind)
            assert back.succeeded, back.failed
            assert found == look(hosts)
            return
        again, found = place.act(Controller.resume)
        assert again.succeeded, again.failed
        assert found == end
        back, found = place.act(Controller.unwind)
        assert back.succeeded, back.failed
        assert found == look(hosts)

    law()


def test_the_codec_brings_plans_and_events_back(arena: Path, store: Store) -> None:
    @LAWS
    @given(plans(store))
    def law(drawn: tuple[list[HostState], Plan]) -> None:
        hosts, plan = drawn
        assert codec.loads(codec.dumps(plan), Plan) == plan
        place = Place(arena, hosts)
        place.act(lambda mine: mine.forward(plan))
        for one in place.events():
            assert codec.loads(codec.dumps(one), Event) == one

    law()

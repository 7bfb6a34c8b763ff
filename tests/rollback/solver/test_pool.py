"""A fleet's questions: each put once, the same answers in any number of processes, whatever dies."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nornir_upgrade.core.errors import InvalidInput, UnknownName
from nornir_upgrade.core.facts.gather import HostFacts
from rollback.foreign.packages import Foreign
from rollback.manifest.model import Manifest
from rollback.packaging.candidate import Catalog, catalog
from rollback.solver import pool
from rollback.solver.nearest import Nearest
from rollback.solver.pool import SolverQuestion, solve_all
from tests.builders import running
from tests.rollback.worlds import host, made, offering

OLD = (made("perl=1", depends="libperl (= 1)"), made("libperl=1"), made("less=1"))
NEW = (made("perl=2", depends="libperl (= 2)"), made("libperl=2"), made("less=2"))
TO = {"snapshot": "s"}


def question(lost: str = "", now: Any = NEW, **marks: Any) -> SolverQuestion:
    offered = offering([one for one in OLD if one.name != lost], now)
    return SolverQuestion(host(OLD, **marks), host(now, **marks), offered, TO)


DIFFERENT = {
    "exact": question(),
    "perl": question("perl"),
    "libperl": question("libperl"),
    "marked": question("libperl", auto=("perl",)),
    "held": question("less", hold=("less",)),
    "half": question("less", NEW[1:]),
}


def called(name: str, one: SolverQuestion) -> SolverQuestion:
    """The same on a host called so, as another host would tell it."""
    system = replace(one.now.os, machine_id=name.ljust(32, "0"))
    now = replace(one.now, host=name, taken_at=f"2026-01-02 {name}", os=system, services=running(name))
    return replace(one, then=replace(one.then, host=name), now=now, to=dict(one.to))


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_PATIENCE", -1.0)


class Counting:
    """The solver, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(
        self, then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], _: Foreign
    ) -> Manifest:
        self.asked += 1
        return Nearest()(then, now, offered, to)


# ---------------------------------------------------------------------- equal questions


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(sorted(DIFFERENT)), max_size=12))
def test_each_question_is_put_once_and_every_host_has_its_own_answer(kinds: list[str]) -> None:
    questions = {f"host{number}": called(f"host{number}", DIFFERENT[kind]) for number, kind in enumerate(kinds)}
    solver, told = Counting(), []
    manifests = solve_all(solver, questions, progress=lambda done, of: told.append((done, of)))
    assert list(manifests) == list(questions)
    for name, one in questions.items():
        assert manifests[name] == Nearest()(one.then, one.now, one.offered, one.to)
        assert manifests[name].host == name
    of = len(set(kinds))
    assert solver.asked == of and told == [(done, of) for done in range(1, of + 1)]


@pytest.mark.parametrize(
    "other",
    [
        lambda one: replace(one, to={"snapshot": "another"}),
        lambda one: replace(one, then=replace(one.then, packages=one.then.packages[:-1])),
        lambda one: replace(one, now=replace(one.now, packages=one.now.packages[:-1])),
        lambda one: replace(one, now=replace(one.now, os=replace(one.now.os, kernel="6.12.0"))),
        lambda one: replace(one, offered=catalog(list(one.offered.candidates.values())[:-1], one.offered.present)),
        lambda one: replace(one, offered=replace(one.offered, present={})),
        lambda one: replace(
            one, offered=catalog((replace(c, control=()) for c in one.offered.candidates.values()), one.offered.present)
        ),
    ],
)
def test_what_differs_in_anything_that_counts_is_asked_for_itself(
    other: Callable[[SolverQuestion], SolverQuestion],
) -> None:
    solver = Counting()
    solve_all(solver, {"a": called("a", question()), "b": called("b", other(question()))})
    assert solver.asked == 2


def test_equal_catalogs_need_not_be_the_same_object() -> None:
    solver = Counting()
    solve_all(solver, {"a": question(), "b": question()})
    assert solver.asked == 1


# ---------------------------------------------------------------------- side by side


@pytest.mark.usefixtures("no_patience")
def test_workers_find_the_same_answers() -> None:
    told: list[tuple[int, int]] = []
    manifests = solve_all(Nearest(), DIFFERENT, workers=2, progress=lambda done, of: told.append((done, of)))
    assert manifests == solve_all(Nearest(), DIFFERENT, workers=1)
    assert told == [(done, len(DIFFERENT)) for done in range(1, len(DIFFERENT) + 1)]


class Sent(dict[Any, Any]):
    """Counts how often it goes to another process."""

    times = 0

    def __reduce__(self) -> Any:
        Sent.times += 1
        return dict, (dict(self),)


@pytest.mark.usefixtures("no_patience")
def test_a_catalog_goes_to_each_worker_once() -> None:
    shared = replace(DIFFERENT["exact"].offered, candidates=Sent(DIFFERENT["exact"].offered.candidates))
    questions = {f"{number}": replace(question(), offered=shared, to={"snapshot": f"{number}"}) for number in range(8)}
    assert len(solve_all(Nearest(), questions, workers=2)) == 8
    assert 1 <= Sent.times <= 2


def mortal(then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], _: Foreign) -> Manifest:
    """Dies in a worker where there is no `libperl=1`."""
    if multiprocessing.parent_process() is not None and not offered.find("libperl", "amd64", "1"):
        os.kill(os.getpid(), signal.SIGKILL)
    return Nearest()(then, now, offered, to)


@pytest.mark.usefixtures("no_patience")
def test_what_a_worker_died_of_is_answered_here() -> None:
    assert solve_all(mortal, DIFFERENT, workers=2) == solve_all(Nearest(), DIFFERENT)


def refusing(then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], _: Foreign) -> Manifest:
    if not offered.find("libperl", "amd64", "1"):
        raise UnknownName("package", "libperl", ["perl"])  # which cannot be pickled
    return Nearest()(then, now, offered, to)


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_answered_is_raised_as_it_is(workers: int) -> None:
    with pytest.raises(InvalidInput, match="no package 'libperl'"):
        solve_all(refusing, DIFFERENT, workers=workers)


# ---------------------------------------------------------------------- no orphans


def idle(then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], _: Foreign) -> Manifest:
    """Writes down who works, and goes on for ever."""
    (Path(to["folder"]) / f"{os.getpid()}").touch()
    time.sleep(600)
    raise AssertionError


def drive(folder: str) -> None:
    """A program that waits for two workers."""
    pool._PATIENCE = -1.0
    solve_all(
        idle, {name: replace(one, to={"folder": folder, "name": name}) for name, one in DIFFERENT.items()}, workers=2
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_program(number: signal.Signals, tmp_path: Path) -> None:
    words = (sys.executable, "-c", f"from tests.rollback.solver.test_pool import drive; drive({str(tmp_path)!r})")
    program = subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, text=True)
    workers = _soon(lambda: [int(file.name) for file in tmp_path.iterdir()], 2)
    if number == signal.SIGINT:  # which a terminal sends to all of them
        for worker in workers:
            os.kill(worker, number)
        time.sleep(0.2)
        assert all(map(_alive, workers))
    program.send_signal(number)
    _, said = program.communicate(timeout=20)
    assert program.returncode == -number
    assert said.count("Traceback") == (number == signal.SIGINT)  # of the program, and not of its workers
    assert _soon(lambda: [one for one in workers if _alive(one)], 0) == []


def _soon(look: Callable[[], list[int]], size: int) -> list[int]:
    end = time.monotonic() + 20
    while len(found := look()) != size:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def _alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"

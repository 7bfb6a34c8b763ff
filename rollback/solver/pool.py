"""Pool: one solver for many hosts. Equal questions are solved once. Different questions are solved in parallel processes if that takes
long.

A worker is a new interpreter, not a fork: a fork would hold the journal, and locks of the threads that talk to hosts.
No worker outlives this process.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.context import SpawnProcess
from operator import attrgetter
from typing import Any, Generic, TypeVar

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package
from rollback.foreign.packages import NOBODYS, Foreign
from rollback.manifest.model import Change, Manifest
from rollback.packaging.candidate import Catalog, catalog

from .exact import Solver

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with the number of answered questions, and of all."""

_PATIENCE = 1.0  # seconds of solving after which it is seen how long the rest will take
_MUCH = 4.0  # seconds; so much is worth starting workers, which takes each half a second
_ALL = attrgetter(*(field.name for field in fields(Package)))


@dataclass(frozen=True, slots=True)
class SolverQuestion:
    """The arguments of a `Solver` for one host; `Solver` explains each."""

    then: HostFacts
    now: HostFacts
    offered: Catalog
    to: Mapping[str, str]
    foreign: Foreign = NOBODYS


def silent(done: int, of: int) -> None:
    """Reports no progress."""


def solve_all(
    solver: Solver, questions: Mapping[str, SolverQuestion], *, workers: int = 0, progress: Progress = silent
) -> dict[str, Manifest]:
    """The manifest of every host, in the order of `questions`; the same whatever `workers` (0: as many as processors) and speed.

    The solver sees only the system and the packages of a host, nothing that identifies it. If the solver raises for some questions,
    the error of the first of them is raised.
    """
    different = _different(questions)
    asked = [question for question, _ in different]
    manifests = _answers(solver, asked, workers or processors(), progress)
    answered = {host: manifest for manifest, (_, hosts) in zip(manifests, different, strict=True) for host in hosts}
    return {host: replace(answered[host], host=host) for host in questions}


def processors() -> int:
    """How many processors this process may use (sched_getaffinity(2))."""
    return len(os.sched_getaffinity(0))


# ---------------------------------------------------------------------- which questions are equal


def _different(questions: Mapping[str, SolverQuestion]) -> list[tuple[SolverQuestion, list[str]]]:
    """Each distinct question with its hosts; questions of one catalog follow each other."""
    packages = _Firsts[tuple[Package, ...]](lambda them: tuple(map(_ALL, them)))
    catalogs = _Firsts[Catalog](lambda offers: (tuple(offers.candidates), tuple(offers.present)))
    by_catalog: dict[int, dict[Hashable, tuple[SolverQuestion, list[str]]]] = {}
    for host, question in questions.items():
        then, now, offered = _bare(question.then), _bare(question.now), catalogs.of(question.offered)
        states = (id(packages.of(then.packages)), id(packages.of(now.packages)))
        key = (states, then.os, now.os, tuple(sorted(question.to.items())), question.foreign)
        alike = by_catalog.setdefault(id(offered), {})
        alike.setdefault(key, (SolverQuestion(then, now, offered, question.to, question.foreign), []))[1].append(host)
    return [pair for alike in by_catalog.values() for pair in alike.values()]


def _bare(facts: HostFacts) -> HostFacts:
    """What the solver sees of a host."""
    return HostFacts("", "", replace(facts.os, machine_id=""), facts.packages, (), (), (), ())


class _Firsts(Generic[T]):
    """Maps equal values to the first of them. `brief` returns a part of a value that is quick to hash and rarely the same."""

    def __init__(self, brief: Callable[[T], Hashable]) -> None:
        self._brief = brief
        self._known: dict[int, tuple[T, T]] = {}  # by identity, which lasts as long as the value: it is kept
        self._alike: dict[int, list[T]] = {}  # by the hash of the brief

    def of(self, value: T) -> T:
        if id(value) not in self._known:
            self._known[id(value)] = value, self._first(value)
        return self._known[id(value)][1]

    def _first(self, value: T) -> T:
        alike = self._alike.setdefault(hash(self._brief(value)), [])
        for other in alike:
            if other == value:
                return other
        alike.append(value)
        return value


# ---------------------------------------------------------------------- here, and side by side


def _answers(solver: Solver, asked: Sequence[SolverQuestion], workers: int, progress: Progress) -> list[Manifest]:
    """The answers to `asked`. This process starts; if it takes long, workers solve the rest, and this process what they leave."""
    answers: dict[int, Manifest] = {}
    begun = time.monotonic()
    for number in range(len(asked)):
        spent, left = time.monotonic() - begun, len(asked) - number
        if workers > 1 and left > 1 and spent > _PATIENCE and spent * left > _MUCH * number:
            _side_by_side(solver, asked, answers, progress, workers)
            workers = 1
        if number not in answers:
            question = asked[number]
            answers[number] = _asked(solver, question)
            progress(len(answers), len(asked))
    return [answers[number] for number in range(len(asked))]


def _asked(solver: Solver, question: SolverQuestion) -> Manifest:
    return solver(question.then, question.now, question.offered, question.to, question.foreign)


def _side_by_side(
    solver: Solver, asked: Sequence[SolverQuestion], answers: dict[int, Manifest], progress: Progress, workers: int
) -> None:
    """Add the answers of workers to `answers`. A question that a worker could not answer, or died of, stays without answer."""
    left = deque(number for number in range(len(asked)) if number not in answers)
    changes: dict[Change, Change] = {}  # hosts of a fleet have most in common, and each worker makes its own
    with _crew(solver, min(workers, len(left))) as idle:
        busy: dict[Any, tuple[_Worker, int]] = {}
        while busy or (left and idle):
            while left and idle:
                worker, number = idle.pop(), left.popleft()
                if worker.ask(asked[number]):
                    busy[worker.pipe] = worker, number
            for pipe in connection.wait(list(busy)):
                worker, number = busy.pop(pipe)
                with suppress(EOFError, OSError):  # the worker is gone
                    answer = worker.pipe.recv()
                    idle.append(worker)
                    if answer is not None:
                        shared = tuple(changes.setdefault(change, change) for change in answer.changes)
                        answers[number] = replace(answer, changes=shared)
                        progress(len(answers), len(asked))


@dataclass(slots=True)
class _Worker:
    """A process that answers, and our end of its pipe."""

    process: SpawnProcess
    pipe: Any
    offered: Catalog | None = None

    def ask(self, question: SolverQuestion) -> bool:
        """Whether the question went out. The catalog goes only where it is not the one of the question before."""
        known = question.offered is self.offered
        self.offered = question.offered
        try:
            self.pipe.send(
                (question.then, question.now, None if known else question.offered, question.to, question.foreign)
            )
        except OSError:
            return False
        return True


@contextmanager
def _crew(solver: Solver, size: int) -> Iterator[list[_Worker]]:
    """Workers, which are gone when the block ends."""
    crew: list[_Worker] = []
    try:
        with _undisturbed(), suppress(OSError):  # with fewer, or none, it takes longer
            for _ in range(size):
                crew.append(_hire(solver))
        yield list(crew)
    finally:
        for worker in crew:
            worker.pipe.close()
            worker.process.terminate()
        for worker in crew:
            worker.process.join()
            worker.process.close()


def _hire(solver: Solver) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(solver, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Processes begun within are not reached by Ctrl-C, which goes to all of a terminal's at once: it is ours to end them.

    The tracker of multiprocessing is begun before, since to begin it lets the signal through again.
    """
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(solver: Solver, pipe: Any) -> None:
    """A worker's loop: it answers until the pipe is closed. For a question that it cannot answer it sends `None`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    offered = catalog(())
    with suppress(EOFError, OSError):
        while True:
            then, now, fresh, to, foreign = pipe.recv()
            offered = fresh or offered
            answer = None
            with suppress(Exception):
                answer = _asked(solver, SolverQuestion(then, now, offered, to, foreign))
            pipe.send(answer)


def _end_with_parent() -> None:
    """A question may take long, and nobody waits for the answer any more."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

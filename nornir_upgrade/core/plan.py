"""A Plan is data: waves of work. A forward run, a resume, an abort and a rollback are four ways to obtain one."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from .errors import InvalidInput
from .step import Step

Direction = Literal["forward", "unwind", "rollback"]
FORMAT = "1.0"


@dataclass(frozen=True, slots=True)
class Work:
    """Steps for one host, in order. `assumes` is the digest of the host's packages that they were planned for ('' is not checked)."""

    host: str
    steps: tuple[Step, ...]
    assumes: str = ""


@dataclass(frozen=True, slots=True)
class Wave:
    """Work that may go on at the same time, host beside host; when all of it is done, `gates` must pass before the next wave.

    `together` are groups of hosts that share data which this wave changes: where one of a group failed before, and so may still
    write there, none of the group goes on.
    """

    name: str
    work: tuple[Work, ...]
    gates: tuple[Work, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Refuses a host that stands twice, for its steps would have no order. Raises `InvalidInput`."""
        for parts in (self.work, self.gates):
            names = [one.host for one in parts]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise InvalidInput(f"wave {self.name!r} has more than one list of steps for {', '.join(twice)}")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that this wave touches, in its order."""
        return tuple(work.host for work in self.work)

    @property
    def concerned(self) -> frozenset[str]:
        """The hosts none of which may have failed when this wave is done: those of its work, its gates and its groups."""
        return frozenset(
            (*self.hosts, *(gated.host for gated in self.gates), *(host for group in self.together for host in group))
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, wholly decided. `origin` names the scenario, or the run or snapshot that it goes back from or to."""

    direction: Direction
    origin: str
    waves: tuple[Wave, ...]
    format: str = FORMAT

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that the plan touches, in the order of first touch."""
        return tuple(dict.fromkeys(host for wave in self.waves for host in wave.hosts))

    def steps(self) -> Iterator[tuple[Wave, str, Step]]:
        """Every step with its wave and host, in the plan's order."""
        for wave in self.waves:
            for work in wave.work:
                for step in work.steps:
                    yield wave, work.host, step

    @property
    def points_of_no_return(self) -> tuple[tuple[str, str, str], ...]:
        """(host, step, reason) of each step that cannot be undone."""
        return tuple(
            (host, step.describe(), step.point_of_no_return)
            for _, host, step in self.steps()
            if step.point_of_no_return
        )


def guard_against_drift(
    waves: Iterable[Wave], digest_of: Callable[[str], str], *, unchanging: Container[str] = ()
) -> tuple[Wave, ...]:
    """The waves, in which the first work of each host assumes the digest of packages that it was planned for; later work assumes
    nothing, because the first may change the packages.

    `digest_of`: host -> digest. Waves whose names are `unchanging` change no package: the work after them assumes the digest too.
    """
    guarded, changed = [], set[str]()
    for wave in waves:
        work = tuple(replace(work, assumes="" if work.host in changed else digest_of(work.host)) for work in wave.work)
        guarded.append(replace(wave, work=work))
        if wave.name not in unchanging:
            changed.update(wave.hosts)
    return tuple(guarded)

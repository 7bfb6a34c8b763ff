"""The way back of one host and of a thousand: this program beside `apt-get -s` with the same plan."""

import json
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure
from benchmarks.fleet import lost
from benchmarks.real_host import RealHost, State, Upgrade, upgrade
from rollback.manifest.model import Manifest
from rollback.manifest.transaction import wants
from rollback.solver.nearest import Nearest

ROUNDS = 10
APT_ROUNDS = 3
SUITES = "trixie"
FLEETS = ((1000, 20, 0), (1000, 20, 5), (1000, 1000, 0))
"""Hosts, states, and the share of old versions that is lost."""

FASTER, SECONDS, MEGABYTES = 50, 10, 500
"""What the issue of the resolver asks for: of one host against apt-get, and of the first of `FLEETS`."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a fleet's ways back took; `near` are those that are not exact."""

    hosts: int
    states: int
    percent: int
    wall: float
    cpu: float
    megabytes: float
    near: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`one`: the ways back of one host of so many packages of which so many changed, by name."""

    packages: int
    changed: int
    one: Mapping[str, measure.Sample]
    fleets: tuple[Fleet, ...]


def run(directory: Path) -> Figures:
    """Fetch Debian's indexes, upgrade a host in simulation, and measure its way back."""
    _note("fetching the indexes of Debian 12 and 13, and upgrading a host from one to the other in simulation")
    host = RealHost(directory / "real")
    host.fetch()
    found = upgrade(host, SUITES)
    one = {
        "exact": _in_memory(_way_back(found, 0)),
        "5 % of the old versions lost": _in_memory(_way_back(found, 5)),
        "a process, from index files": _from_files(found, directory),
        "apt-get -s, the exact plan": _apt(found),
    }
    for name, sample in one.items():
        _note(f"one host: {name}: {sample.wall:.3f} s, {sample.cpu:.3f} s of processor")
    return Figures(len(found.before), len(found.changed), one, tuple(_fleets(found, directory)))


def _way_back(found: Upgrade, percent: int) -> Callable[[], Manifest]:
    """What solves it, with facts and catalog in memory."""
    then, now, offered = found.then, found.now, found.offered(lost(found, percent))
    return lambda: Nearest()(then, now, offered, {"snapshot": "bench"})


def _in_memory(solve: Callable[[], object]) -> measure.Sample:
    solve()  # the first reads relations that the next ones find read
    return measure.median([_timed(solve) for _ in range(ROUNDS)])


def _timed(solve: Callable[[], object]) -> measure.Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    solve()
    return measure.Sample(time.perf_counter() - wall, time.process_time() - cpu)


def _from_files(found: Upgrade, directory: Path) -> measure.Sample:
    """`rollback compute` from two lists of packages and the index files, which knows nothing before it starts."""
    for name, state in (("now.txt", found.after), ("then.txt", found.before)):
        (directory / name).write_text(
            "".join(f"{package}\t{version}\n" for (package, _), version in sorted(state.items()))
        )
    argv = [str(Path(sys.executable).parent / "rollback"), "compute", "--arch", "amd64"]
    argv += ["--installed", "now.txt", "--target", "then.txt"]
    for file in found.host.apt(SUITES, "indextargets", "--format", "$(FILENAME)", "Identifier: Packages").split():
        argv += ["--index", file]
    lines = _lines(found.before, found.after)
    taken = []
    for _ in range(APT_ROUNDS):
        sample, printed = measure.once(argv, directory=directory, environment=dict(os.environ))
        if not lines <= set(printed.splitlines()):
            raise measure.Failed(f"rollback compute did not print {sorted(lines - set(printed.splitlines()))[:5]}")
        taken.append(sample)
    return measure.median(taken)


def _lines(before: State, after: State) -> set[str]:
    return {f"{name}={version}" for (name, arch), version in before.items() if after.get((name, arch)) != version}


def _apt(found: Upgrade) -> measure.Sample:
    """The same plan put to apt-get, which must agree with it."""
    want = wants(_way_back(found, 0)(), found.now)
    if found.host.takes(SUITES, want, found.after) != found.before:
        raise measure.Failed("apt-get does not agree with the plan")
    argv = found.host.argv(SUITES, *found.host.back(want, found.after))
    rounds = (
        measure.once(argv, directory=found.host.root, environment=found.host.environment) for _ in range(APT_ROUNDS)
    )
    return measure.median([sample for sample, _ in rounds])


def _fleets(found: Upgrade, directory: Path) -> Iterator[Fleet]:
    """Each in a process of its own, the middle of three where that does not take minutes."""
    (directory / "upgrade").write_bytes(pickle.dumps(found))
    for hosts, states, percent in FLEETS:
        argv = [sys.executable, "-m", "benchmarks.fleet", str(directory / "upgrade")]
        argv += map(str, (hosts, states, percent))
        rounds = []
        for _ in range(3 if states < 100 else 1):
            _, printed = measure.once(argv, directory=Path.cwd(), environment=dict(os.environ))
            rounds.append(Fleet(hosts, states, percent, **json.loads(printed)))
            _note(f"{hosts} hosts in {states} states: {rounds[-1].wall:.1f} s, {rounds[-1].megabytes:.0f} MB")
        yield sorted(rounds, key=lambda one: one.wall)[len(rounds) // 2]


def _note(text: str) -> None:
    print(f"   {text}", file=sys.stderr)

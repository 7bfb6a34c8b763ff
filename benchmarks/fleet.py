"""What is measured of a fleet: a fresh process solves the ways back of many hosts, and says what that took.

`python -m benchmarks.fleet UPGRADE HOSTS STATES PERCENT`: so many hosts in so many states, with that share of the old
versions lost. The hosts are made before the clock starts, as the program gets them: the same line of a package is one object
(`core.apt`), the same answer about repositories one catalog (`rollback.survey`).
"""

import json
import pickle
import random
import re
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.memory import Peak
from benchmarks.real_host import Upgrade, Version
from nornir_upgrade.core.facts.gather import HostFacts
from rollback.solver.nearest import Nearest
from rollback.solver.pool import Question, solve_all

_NAMES = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]*)")
_OWN = 3  # packages that a state lacks


def main(file: str, hosts: int, states: int, percent: int) -> None:
    """Solve, and print seconds, processor seconds, peak megabytes, and how many ways back are not exact."""
    upgrade = pickle.loads(Path(file).read_bytes())
    questions = _questions(upgrade, hosts, states, percent)
    begin, used = time.monotonic(), _used()
    with Peak() as peak:
        manifests = solve_all(Nearest(), questions)
    wall, cpu = time.monotonic() - begin, _used() - used
    if any(manifest.problems for manifest in manifests.values()) or len(manifests) != hosts:
        raise SystemExit("a host has no way back: the figures would mean nothing")
    near = sum(bool(manifest.deviations) for manifest in manifests.values())
    print(json.dumps({"wall": wall, "cpu": cpu, "megabytes": peak.megabytes, "near": near}))


def lost(upgrade: Upgrade, percent: int) -> set[Version]:
    """The versions that can no more be had, by chance but always the same."""
    changed = upgrade.changed
    return set(random.Random(1).sample(changed, len(changed) * percent // 100))


def _questions(upgrade: Upgrade, hosts: int, states: int, percent: int) -> dict[str, Question]:
    offered = upgrade.offered(lost(upgrade, percent))
    pairs = list(_states(upgrade, states))
    found = {}
    for number in range(hosts):
        then, now = (_copy(facts, f"host{number}") for facts in pairs[number % states])
        found[f"host{number}"] = Question(then, now, offered, {"snapshot": "bench"})
    return found


def _states(upgrade: Upgrade, count: int) -> Iterator[tuple[HostFacts, HostFacts]]:
    """States that differ: each lacks a few packages of its own, which no other needs."""
    chance = random.Random(1)
    leaves = sorted(_leaves(upgrade))
    seen: set[frozenset[str]] = set()
    while len(seen) < count:
        lacking = frozenset(chance.sample(leaves, _OWN))
        if lacking not in seen:
            seen.add(lacking)
            yield _without(upgrade.then, lacking), _without(upgrade.now, lacking)


def _leaves(upgrade: Upgrade) -> set[str]:
    """Packages that were and are there, and that no stanza of another names."""
    named: set[str] = set()
    for one in upgrade.candidates.values():
        control = dict(one.control)
        named |= {name for field in ("Pre-Depends", "Depends") for name in _NAMES.findall(control.get(field, ""))}
    providing = {
        one.name for one in upgrade.candidates.values() if {"Provides", "Essential"} & dict(one.control).keys()
    }
    return {name for name, _ in upgrade.before.keys() & upgrade.after.keys()} - named - providing


def _without(facts: HostFacts, names: frozenset[str]) -> HostFacts:
    return replace(facts, packages=tuple(one for one in facts.packages if one.name not in names))


def _copy(facts: HostFacts, host: str) -> HostFacts:
    return replace(facts, host=host, packages=tuple(one for one in facts.packages))


def _used() -> float:
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

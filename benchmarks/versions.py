"""Versions: pairs that `rollback vercmp` orders a second, and the transaction of three thousand packages."""

import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure
from nornir_upgrade.core.packaging.dnf.dnf4 import Dnf
from nornir_upgrade.core.packaging.model import Package, PackageWant, implied
from nornir_upgrade.planner import reversibility
from nornir_upgrade.steps.packages import as_they_are

PAIRS = 150_000
PACKAGES = 3000
ROUNDS = 3
FLOOR = 50_000
"""Pairs a processor second, of one process from its start to its end, at least."""
SECONDS = 15
"""Processor seconds that the whole of a transaction may take."""
_CHARACTERS = {"deb": "0001239abzAZ~~~+..", "rpm": "0001239abzAZ~~^^+.._"}


@dataclass(frozen=True, slots=True)
class Figures:
    """`orders`: `PAIRS` pairs by the grammar of their versions; `transaction`: `PACKAGES` packages to older versions."""

    orders: Mapping[str, measure.Sample]
    transaction: measure.Sample


def run(directory: Path) -> Figures:
    """Medians of both. Raises `measure.Failed` where a pair or a package has no answer."""
    orders = {grammar: _ordered(directory, grammar) for grammar in _CHARACTERS}
    return Figures(orders, measure.median([_timed(_transaction) for _ in range(ROUNDS)]))


def _ordered(directory: Path, grammar: str) -> measure.Sample:
    file = directory / f"{grammar}.txt"
    draw = random.Random(26)
    file.write_text("".join(f"{_version(draw, grammar)}\t{_version(draw, grammar)}\n" for _ in range(PAIRS)))
    program = Path(sys.executable).with_name("rollback")
    argv = ["sh", "-c", 'exec "$1" vercmp "$2" - <"$3"', "sh", str(program), grammar, str(file)]
    samples = []
    for _ in range(ROUNDS):
        sample, printed = measure.once(argv, directory=directory, environment={**os.environ})
        if len(printed.split()) != PAIRS:
            raise measure.Failed(f"rollback vercmp {grammar} answered {len(printed.split())} of {PAIRS} pairs")
        samples.append(sample)
    return measure.median(samples)


def _version(draw: random.Random, grammar: str) -> str:
    return draw.choice(("", "1:")) + "1" + "".join(draw.choices(_CHARACTERS[grammar], k=draw.randint(0, 8))) + "-1"


def _transaction() -> None:
    """What dnf is asked for, what it implies, and what is left of it: each package looked up among all of them."""
    names = [f"openstack-package-{number}" for number in range(PACKAGES)]
    now = [Package(name, "noarch", "2014.1-11.el7", "installed", "install", False) for name in names]
    past = [PackageWant(name, "noarch", "2013.2-9.el6", "installed") for name in names]
    Dnf().change(past, now, downgrade=True, wait=0)
    counts = (len(implied(past, now).changes), len(as_they_are(past, now)), len(reversibility.after(now, past)))
    if counts != (PACKAGES,) * 3:
        raise measure.Failed(f"of {PACKAGES} packages, {counts} were accounted for")


def _timed(work: Callable[[], None]) -> measure.Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return measure.Sample(time.perf_counter() - wall, time.process_time() - cpu)

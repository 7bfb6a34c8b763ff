"""Escrow of a fleet whose hosts share most of their packages: what is moved, what is stored, and how long the slowest link is in use.

Store, entries and errands are the product's; the hosts are stand-ins, each behind a link of so many bytes a second that it has to
itself. A real host and its real package manager are what the tests in tests/lab ask.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from nornir_upgrade.core import collect as module
from nornir_upgrade.core.collect import collect
from nornir_upgrade.core.escrow import Escrow, PackageFile
from nornir_upgrade.core.store import Store
from tests.fake.depot import StubDepot, StubFleet, StubHost

from .measure import Failed

HOSTS = (10, 30, 60)
PACKAGES, SHARED = 400, 380
SIZE = 50_000
LINK, SLOWEST = 2_000_000, 500_000  # bytes a second


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a fleet took. `needed` is what its hosts need, each for itself; `slowest` the seconds that the slowest link was in use."""

    hosts: int
    files: int
    distinct: int
    needed: int
    moved: int
    stored: int
    wall: float
    slowest: float


def run(directory: Path) -> tuple[Fleet, ...]:
    """Each fleet into an empty escrow, and once more, when there is nothing left to do. Raises `Failed` where a file came twice."""
    with patch.object(module, "DEPOTS", {"deb": StubDepot(), "rpm": StubDepot()}):
        return tuple(_fleet(directory / str(count), count) for count in HOSTS)


def _fleet(directory: Path, count: int) -> Fleet:
    needs = {f"host{number}": _packages(number) for number in range(count)}
    links = {name: _Link(LINK if number else SLOWEST) for number, name in enumerate(needs)}
    hosts = {
        name: StubHost(name, repositories=set(files), size=SIZE, delay=links[name].take)
        for name, files in needs.items()
    }
    escrow = Escrow.beside(Store(directory / "store"))
    begin = time.monotonic()
    collect(StubFleet(hosts), dict.fromkeys(hosts, "deb"), needs, escrow).require()  # type: ignore[arg-type]
    wall = time.monotonic() - begin
    distinct = set().union(*needs.values())
    moved = [name for host in hosts.values() for name in host.moved]
    if len(moved) != len(set(moved)) or len(moved) != len(distinct):
        raise Failed(f"{len(moved)} files were moved, of {len(distinct)}")
    if collect(StubFleet(hosts), dict.fromkeys(hosts, "deb"), needs, escrow).kept:  # type: ignore[arg-type]
        raise Failed("what was in escrow was fetched again")
    stored = sum(map(escrow.store.size, escrow.store.digests()))
    one = stored // len(distinct)
    files = sum(map(len, needs.values()))
    used = max(link.seconds for link in links.values())
    return Fleet(count, files, len(distinct), files * one, len(moved) * one, stored, wall, used)


def _packages(host: int) -> frozenset[PackageFile]:
    shared = (PackageFile("deb", f"shared{number}", "all", "1.0-1") for number in range(SHARED))
    own = (PackageFile("deb", f"own{host}-{number}", "all", "1.0-1") for number in range(PACKAGES - SHARED))
    return frozenset((*shared, *own))


class _Link:
    """A link of `speed` bytes a second. What goes over it goes one after the other."""

    def __init__(self, speed: float) -> None:
        self.seconds = 0.0
        self._speed = speed
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        with self._lock:
            self.seconds += size / self._speed
            time.sleep(size / self._speed)

"""Escrow of a fleet whose hosts share most of their packages: what is moved, what is stored, and how long the slowest link is in use.

The hosts are real, with apt and a signed repository; the kernel lets each send so many bytes a second and no more (tc-tbf(8)), and
what was moved is what their network interfaces counted, the words of ssh and of apt among it.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hosts import Target, hosts, inventory, targets
from benchmarks.measure import Failed
from nornir_upgrade.core.escrow.collect import collect
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.inventory.fleet import load
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.store import Store
from nornir_upgrade.lab.deb import dists
from nornir_upgrade.lab.deb.debian import KEYRING, source_line
from nornir_upgrade.lab.lab import Lab
from nornir_upgrade.lab.signing import archive_key

HOSTS = (10, 30)
PACKAGES, SHARED = 400, 380
SIZE = 50_000
LINK, SLOWEST = 2_000_000, 500_000  # bytes a second
_SUITE = "bench"
_INDEX = (
    "sh",
    "-c",
    f"rm -f /etc/apt/sources.list.d/*; cat > /etc/apt/sources.list.d/{_SUITE}.list; apt-get -qq update",
)
_SHAPE = ("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "burst", "64kb", "latency", "400ms", "rate")
_SENT = ("cat", "/sys/class/net/eth0/statistics/tx_bytes")


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a fleet took: `needed` bytes of files by its hosts, each for itself, and `distinct` ones; `fetched` files of `stored`
    bytes; `moved` bytes over the network; `slowest` the seconds that what went over the slowest link takes there."""

    hosts: int
    files: int
    distinct: int
    fetched: int
    needed: int
    moved: int
    stored: int
    wall: float
    slowest: float


def run(directory: Path) -> tuple[Fleet, ...]:
    """Each fleet into an empty escrow, and once more, when there is nothing left to do. Raises `Failed` where a file came twice."""
    most = max(HOSTS)
    with hosts(directory, most) as lab:
        every = targets(lab)
        print(f"   making {SHARED + most * (PACKAGES - SHARED)} packages", file=sys.stderr)
        _offer(lab, most)
        _prepare(lab, every)
        return tuple(_fleet(directory / f"of-{count}", lab, every[:count]) for count in HOSTS)


def _fleet(directory: Path, lab: Lab, chosen: Sequence[Target]) -> Fleet:
    needs = {one.name: _files(number) for number, one in enumerate(chosen)}
    distinct = frozenset[PackageFile]().union(*needs.values())
    escrow = Escrow.beside(Store(directory / "store"))
    fleet = load(inventory(directory, lab, chosen))
    try:
        before, begin = _sent(lab, chosen), time.monotonic()
        found = collect(fleet, dict.fromkeys(needs, "apt"), needs, escrow)
        wall, after = time.monotonic() - begin, _sent(lab, chosen)
        found.require()
        if collect(fleet, dict.fromkeys(needs, "apt"), needs, escrow).kept:
            raise Failed("what was in escrow was fetched again")
    finally:
        fleet.close()
    moved = {one: after[one.name] - before[one.name] for one in chosen}
    return Fleet(
        hosts=len(needs),
        files=sum(map(len, needs.values())),
        distinct=len(distinct),
        fetched=len(found.kept),
        needed=sum(map(len, needs.values())) * found.bytes // len(found.kept),
        moved=sum(moved.values()),
        stored=sum(map(escrow.store.size, escrow.store.digests())),
        wall=wall,
        slowest=max(size / _speed(one, chosen) for one, size in moved.items()),
    )


# ---------------------------------------------------------------------- packages


def _files(host: int) -> frozenset[PackageFile]:
    """What this host needs."""
    return frozenset(PackageFile("deb", name, "all", "1.0-1") for name in (*_shared(), *_own(host)))


def _shared() -> Iterator[str]:
    return (f"shared{number}" for number in range(SHARED))


def _own(host: int) -> Iterator[str]:
    return (f"own{host}-{number}" for number in range(PACKAGES - SHARED))


def _offer(lab: Lab, most: int) -> None:
    """Afterwards the lab serves a signed repository with every package."""
    root = lab.repositories / _SUITE
    names = [*_shared(), *(name for host in range(most) for name in _own(host))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stanzas = tuple(pool.map(lambda name: _build(root, name), names))
    key = archive_key(lab.cache)
    dists.write(root, _SUITE, "\n".join(stanzas).encode(), key, date=int(time.time()), origin="Bench", label="Bench")


def _build(root: Path, name: str) -> str:
    """Make a package of `SIZE` bytes that nothing can compress; returns its stanza in the index."""
    fields = {"Package": name, "Version": "1.0-1", "Architecture": "all", "Maintainer": "Bench <bench@lab.invalid>"}
    control = dists.stanza({**fields, "Description": "bytes"})
    stage, path = root.parent.parent / "stage" / name, f"pool/{name}_1.0-1_all.deb"
    dists.put(stage, "DEBIAN/control", control.encode())
    dists.put(stage, f"usr/share/{name}", random.Random(name).randbytes(SIZE))
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    argv = ("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(stage), str(root / path))
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    data = (root / path).read_bytes()
    where = {"Filename": path, "Size": str(len(data)), "SHA256": dists.sha256(data)}
    return control + dists.stanza(where)


# ---------------------------------------------------------------------- hosts


def _prepare(lab: Lab, chosen: Sequence[Target]) -> None:
    """Afterwards these hosts know the repository's packages, and send no faster than their links are."""
    key = archive_key(lab.cache).public

    def one(target: Target) -> None:
        lab.run(target.name, ("sh", "-c", 'cat > "$1"', "sh", KEYRING), key)
        lab.run(target.name, _INDEX, f"{source_line(_SUITE)}\n".encode())
        lab.run(target.name, (*_SHAPE, f"{8 * _speed(target, chosen):.0f}bit"))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, chosen))


def _speed(target: Target, chosen: Sequence[Target]) -> int:
    """Of the link from this host, in bytes a second."""
    return SLOWEST if target == chosen[0] else LINK


def _sent(lab: Lab, chosen: Sequence[Target]) -> Mapping[str, int]:
    """The bytes that each host has ever sent."""
    return {one.name: int(lab.run(one.name, _SENT).stdout) for one in chosen}

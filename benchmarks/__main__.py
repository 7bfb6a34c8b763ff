"""`python -m benchmarks [facts] [resolver] [guide] [escrow] [versions]`: these benchmarks, or every one, as tables with ratios."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import escrow, facts, guide, measure, resolver, versions

_OURS = "nornir-upgrade"
_WIDTH = 120  # columns, where no terminal says how many there are


def main(chosen: Sequence[str]) -> None:
    """Measure, then print."""
    parts = {"facts": _facts, "resolver": _resolver, "guide": _guide, "escrow": _escrow, "versions": _versions}
    if unknown := set(chosen) - parts.keys():
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    shown: list[Table | str] = []
    for name in chosen or parts:
        print(f"== {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="nornir-upgrade-bench-", dir=Path.cwd()) as directory:
            shown += parts[name](Path(directory))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    for part in shown:
        console.print(part)


def _facts(directory: Path) -> Iterator[Table | str]:
    from nornir_upgrade.lab.machine import default_cache

    medians = facts.run(directory, default_cache())
    title = (
        f"facts of {facts.HOSTS} hosts, fresh connections each, median of {facts.ROUNDS} rounds,"
        f" in which {' and '.join(facts.CLOSE)} were measured {facts.OFTEN} times each"
    )
    yield _beside(title, medians, medians[_OURS])
    for name, floor in facts.FLOORS.items():
        times = medians[name].wall / medians[_OURS].wall
        yield _floor(f"{name} takes {times:.2f} times as long", times >= floor)


def _guide(directory: Path) -> Iterator[Table]:
    medians = guide.run(directory)
    title = f"the 34 packages of the operations guide, median of {guide.ROUNDS} rounds, a process each"
    yield _beside(title, medians, medians["rollback compute"])


def _resolver(directory: Path) -> Iterator[Table | str]:
    found = resolver.run(directory)
    exact, *_, apt = found.one.values()
    table = _table(
        f"the way back of one host: {found.packages} packages, {found.changed} changed",
        ("way back", "seconds", "a second", "apt-get takes", "processor seconds", "apt-get takes "),
    )
    for name, one in found.one.items():
        wall, cpu = f"{apt.wall / one.wall:.1f} times", f"{apt.cpu / one.cpu:.1f} times"
        table.add_row(name, f"{one.wall:.3f}", f"{1 / one.wall:.1f}", wall, f"{one.cpu:.3f}", cpu)
    yield table
    yield _fleets(found.fleets)
    first, times = found.fleets[0], min(apt.wall / exact.wall, apt.cpu / exact.cpu)
    yield _floor(f"{times:.0f} times faster than apt-get -s, by clock and by processor", times >= resolver.FASTER)
    yield _floor(f"{first.hosts} hosts in {first.states} states: {first.wall:.1f} s", first.wall < resolver.SECONDS)
    yield _floor(f"{first.megabytes:.0f} MB", first.megabytes < resolver.MEGABYTES)


def _escrow(directory: Path) -> Iterator[Table | str]:
    found = escrow.run(directory)
    percent = 100 * escrow.SHARED // escrow.PACKAGES
    table = _table(
        f"escrow of real hosts that share {percent} % of {escrow.PACKAGES} packages, behind links of {escrow.LINK / 1e6:.0f} MB/s,"
        f" one of {escrow.SLOWEST / 1e6:.1f} MB/s",
        ("hosts", "files", "distinct", "fetched", "MB", "moved", "stored", "seconds", "slowest link"),
    )
    for one in found:
        sizes = (f"{size / 1e6:.1f}" for size in (one.needed, one.moved, one.stored))
        counts = map(str, (one.hosts, one.files, one.distinct, one.fetched))
        table.add_row(*counts, *sizes, f"{one.wall:.1f}", f"{one.slowest:.1f}")
    yield table
    yield _floor("each distinct file fetched once", all(one.fetched == one.distinct for one in found))
    few, *_, many = found
    times, hosts = many.wall / few.wall, many.hosts / few.hosts
    yield _floor(f"{many.hosts} hosts take {times:.1f} times as long as {few.hosts}", times <= hosts / 2)


def _versions(directory: Path) -> Iterator[Table | str]:
    figures = versions.run(directory)
    table = _table(
        f"the order of {versions.PAIRS} pairs of versions, a process each, median of {versions.ROUNDS} rounds",
        ("versions", "seconds", "processor seconds", "pairs a processor second"),
    )
    rates = {grammar: versions.PAIRS / sample.cpu for grammar, sample in figures.orders.items()}
    for grammar, sample in figures.orders.items():
        table.add_row(grammar, f"{sample.wall:.2f}", f"{sample.cpu:.2f}", f"{rates[grammar]:.0f}")
    yield table
    for grammar, rate in rates.items():
        yield _floor(f"{rate:.0f} pairs of {grammar} a processor second", rate > versions.FLOOR)
    cpu = figures.transaction.cpu
    yield _floor(f"a transaction of {versions.PACKAGES} packages: {cpu:.2f} processor seconds", cpu < versions.SECONDS)


def _fleets(fleets: Sequence[resolver.Fleet]) -> Table:
    table = _table(
        "the ways back of a fleet, each in a process of its own",
        ("hosts", "states", "old versions lost", "seconds", "hosts a second", "processor seconds", "peak MB"),
    )
    for one in fleets:
        numbers = (f"{one.wall:.1f}", f"{one.hosts / one.wall:.0f}", f"{one.cpu:.1f}", f"{one.megabytes:.0f}")
        table.add_row(str(one.hosts), str(one.states), f"{one.percent} %", *numbers)
    return table


def _beside(title: str, medians: Mapping[str, measure.Sample], ours: measure.Sample) -> Table:
    table = _table(title, ("tool", "seconds", "ratio", "processor seconds", "ratio "))
    for name, sample in medians.items():
        wall, cpu = sample.wall / ours.wall, sample.cpu / ours.cpu
        table.add_row(name, f"{sample.wall:.2f}", f"{wall:.1f}", f"{sample.cpu:.2f}", f"{cpu:.1f}")
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _floor(figure: str, held: bool) -> str:
    return f"{figure}: {'as asked for' if held else 'NOT as asked for'}"


if __name__ == "__main__":
    main(sys.argv[1:])

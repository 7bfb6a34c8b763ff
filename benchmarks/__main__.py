"""`python -m benchmarks`: every benchmark, as one table with ratios."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nornir_upgrade.lab.machine import default_cache

from . import facts


def main() -> None:
    """Measure, then print."""
    with tempfile.TemporaryDirectory(prefix="nornir-upgrade-bench-", dir=Path.cwd()) as directory:
        medians = facts.run(Path(directory), default_cache())
    ours = medians["nornir-upgrade"]
    table = Table(title=f"facts of {facts.HOSTS} hosts, median of {facts.ROUNDS} rounds, fresh connections each")
    for column in ("tool", "seconds", "ratio", "processor seconds", "ratio "):
        table.add_column(column, justify="left" if column == "tool" else "right")
    for name, sample in medians.items():
        row = (
            f"{sample.wall:.2f}",
            f"{sample.wall / ours.wall:.1f}",
            f"{sample.cpu:.2f}",
            f"{sample.cpu / ours.cpu:.1f}",
        )
        table.add_row(name, *row)
    Console().print(table)


if __name__ == "__main__":
    main()

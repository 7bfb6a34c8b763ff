"""A controller as a process of its own, on real hosts: what the crash tests on the lab start, and kill.

    python -m tests.crash.controller DIRECTORY forward|resume|unwind [NUMBER before|after]

DIRECTORY holds config.yaml, plan.json, the journal and the store. With NUMBER the process kills itself with SIGKILL at that
append to the journal. Exit code 0: the goal was reached; 3: it was not, and standard error says why.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import nornir_upgrade.steps.registry  # noqa: F401  # so that a plan of any step can be read
from nornir_upgrade.core import codec
from nornir_upgrade.core import journal as journals
from nornir_upgrade.core.engine import Outcome
from nornir_upgrade.core.inventory import fleet
from nornir_upgrade.core.plan import Plan
from nornir_upgrade.core.store import Store
from tests.crash.harness import Boundary, Controller, killing


def main(argv: Sequence[str]) -> int:
    directory, act, *boundary = argv
    home = Path(directory)
    hosts = fleet.load(home / "config.yaml")
    try:
        with journals.owned(home / "journal.db", act) as journal:
            if boundary:
                at = Boundary(int(boundary[0]), boundary[1])  # type: ignore[arg-type]
                journal.append = killing(journal.append, at)  # type: ignore[method-assign]
            outcome = _do(act, Controller(hosts, journal, Store(home / "store")), home)
    finally:
        hosts.close()
    for host, error in outcome.failed.items():
        print(f"{host}: {error!r}", file=sys.stderr)
    return 0 if outcome.succeeded else 3


def _do(act: str, mine: Controller, home: Path) -> Outcome:
    if act == "forward":
        return mine.forward(codec.loads((home / "plan.json").read_bytes(), Plan))
    return {"resume": mine.resume, "unwind": mine.unwind}[act]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The flags of `rollback` that say where to, and what is settled for on the way."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nornir_upgrade.core.journal import Journal
    from rollback.foreign.removal import Parting
    from rollback.snapshot import Snapshot
    from rollback.solver.nearest import Nearest

FOUND = "ways back found"
"""What is told while they are."""

TARGET = (
    click.option("--run", default="", metavar="RUN", help="To the state before that run (default: last)."),
    click.option("--snapshot", default="", metavar="ID", help="To that snapshot."),
)
MISSING = click.option(
    "--missing",
    type=click.Choice(["keep", "remove", "fail"]),
    default=None,
    help="What cannot be as it was: keep it as it is with what it needs, remove it, or fail. To name keep or remove is to agree to it.",
)
PARTING = (
    click.option("--remove-foreign", is_flag=True, help="Remove packages too that others installed since."),
    click.option(
        "--purge",
        multiple=True,
        metavar="NAME",
        help="Where this package goes, its data go with it (glob, repeatable). Without it data stay.",
    ),
)
ONLY = click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only packages that match, and what must go along with them (glob, repeatable).",
)


def target(journal: "Journal", run: str, snapshot: str) -> "Snapshot":
    """The snapshot that the flags mean. Raises `UsageError` where both are given, `UnknownName` where there is none."""
    from rollback.snapshot import before_run, find

    if run and snapshot:
        raise click.UsageError("--run and --snapshot each say where to: give one")
    return find(journal, snapshot) if snapshot else before_run(journal, run or "last")


def parting(remove_foreign: bool, purge: tuple[str, ...]) -> "Parting":
    """What the flags ask for of packages that came since."""
    from rollback.foreign.removal import Parting

    for pattern in purge:
        if not pattern or any(char.isspace() for char in pattern):
            raise click.UsageError(f"--purge {pattern!r} can match no package")
    return Parting(remove_foreign, purge)


def policy(missing: str | None, only: tuple[str, ...]) -> "Nearest":
    """The solver that the flags mean."""
    from rollback.solver.nearest import Nearest

    for pattern in only:
        if not pattern or any(char.isspace() for char in pattern):
            raise click.UsageError(f"--only {pattern!r} can match no package")
    return Nearest(missing or "keep", only)  # type: ignore[arg-type]

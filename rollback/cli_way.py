"""The flags of `rollback` that say where to, and what is settled for on the way."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nornir_upgrade.core.journal import Journal

    from .nearest import Nearest
    from .snapshot import Snapshot

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
ONLY = click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only packages that match, and what must go along with them (glob, repeatable).",
)


def target(journal: "Journal", run: str, snapshot: str) -> "Snapshot":
    """The snapshot that the flags mean. Raises `UsageError` where both are given, `UnknownName` where there is none."""
    from .snapshot import before_run, find

    if run and snapshot:
        raise click.UsageError("--run and --snapshot each say where to: give one")
    return find(journal, snapshot) if snapshot else before_run(journal, run or "last")


def policy(missing: str | None, only: tuple[str, ...]) -> "Nearest":
    """The solver that the flags mean."""
    from .nearest import Nearest

    for pattern in only:
        if not pattern or any(char.isspace() for char in pattern):
            raise click.UsageError(f"--only {pattern!r} can match no package")
    return Nearest(missing or "keep", only)  # type: ignore[arg-type]

"""Options: the flags of `rollback` that name a target, and those that choose what is accepted on the way there."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nornir_upgrade.core.journal import Journal
    from rollback.snapshot import Snapshot

FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
TARGET = (
    click.option("--run", default="", metavar="RUN", help="Back to the state before that run (default: last)."),
    click.option("--snapshot", default="", metavar="ID", help="Back to that snapshot."),
)
MISSING = click.option(
    "--missing",
    type=click.Choice(["keep", "remove", "fail"]),
    default=None,
    help="If an old version cannot be had: keep the package and what it needs, remove it, or fail. Naming keep or remove agrees to it.",
)
PARTING = (
    click.option("--remove-foreign", is_flag=True, help="Also remove packages that others installed since."),
    click.option(
        "--purge",
        multiple=True,
        metavar="NAME",
        help="If this package is removed, delete its data too (glob, repeatable). Without --purge data are kept.",
    ),
)
ONLY = click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only packages that match, and those that must change with them (glob, repeatable).",
)
_TEXTS = (
    click.option(
        "--installed",
        type=FILE,
        metavar="FILE",
        help="Installed packages of a machine that cannot be reached: dpkg --get-selections, dpkg-query -W, dpkg -l or rpm -qa.",
    ),
    click.option(
        "--policy",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Versions that it can install: apt-cache policy, apt-cache madison, dnf or yum list --showduplicates (repeatable).",
    ),
    click.option(
        "--index",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Versions that it can install: a repository's Packages or primary.xml, also gz, xz, bz2, zst, lz4 (repeatable).",
    ),
    click.option(
        "--target", type=FILE, metavar="FILE", help="Back to the packages of this older list, with --installed."
    ),
    click.option(
        "--arch", default="", metavar="ARCH", help="Its architecture, with --installed (default: this machine's)."
    ),
    click.option(
        "--release",
        default="",
        metavar="NAME",
        help="To the newest versions of repositories called NAME: part of a path, suite, codename, component, label or origin.",
    ),
    click.option(
        "--rename",
        multiple=True,
        metavar="NOW=THEN",
        help="Packages with NOW in their name were called THEN in that release (repeatable).",
    ),
    ONLY,
)


def texts(verb: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator for verbs: adds the flags of text files and releases, and --only."""
    for option in reversed(_TEXTS):
        verb = option(verb)
    return verb


def chosen_snapshot(journal: "Journal", run: str, snapshot: str) -> "Snapshot":
    """The snapshot that --run and --snapshot name; without both, the one before the last run.

    Raises `UsageError` if both are given, `UnknownName` if there is no such snapshot or run.
    """
    from rollback.snapshot import before_run, find

    if run and snapshot:
        raise click.UsageError("--run and --snapshot each say where to: give one")
    return find(journal, snapshot) if snapshot else before_run(journal, run or "last")

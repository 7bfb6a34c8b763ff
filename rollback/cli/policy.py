"""`rollback policy`: the versions that a text file of a machine that cannot be reached says can be had."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.options import GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen

from .options import FILE

if TYPE_CHECKING:
    from rollback.packaging.policy import PolicyPackage, VersionTable


@click.command(
    epilog="""\b
Examples:
  apt-cache policy nova-common > policy.txt; rollback policy policy.txt
  rollback policy versions.txt -o json

\b
A file that is translated, truncated or of another kind is refused with its line (exit 10): make it
with LC_ALL=C. A last line without a line feed is reported on stderr. A file that is truncated between
two lines cannot be recognized: compute then names the packages that it knows no version of."""
)
@click.argument("file", type=FILE)
@flags(*GENERAL[1:])
def policy(flags: Flags, file: Path) -> None:
    """Show which versions FILE says can be had: output of apt-cache policy, apt-cache madison, dnf list or yum list --showduplicates.

    FILE may be - for standard input. With -o json, values that the file does not give are null, and the kind of a source is
    `archive` or `status` (installed, nothing to fetch).
    """
    from .offline import read_policy

    screen = Screen(flags)
    table = read_policy(screen, file)
    screen.result({"packages": list(map(_document, table.packages))}, "\n".join(_lines(table)))


def _document(package: "PolicyPackage") -> dict[str, Any]:
    """As the codec writes it; `phased` is there only if apt showed it."""
    from nornir_upgrade.core import codec

    document: dict[str, Any] = codec.to_builtins(package)
    for version in document["versions"]:
        if version["phased"] is None:
            del version["phased"]
    return document


def _lines(table: "VersionTable") -> Iterator[str]:
    for package in table.packages:
        yield f"{package.package}: installed {package.installed or '-'}, candidate {package.candidate or '-'}"
        for version in package.versions:
            priority = "" if version.priority is None else f" ({version.priority})"
            phased = "" if version.phased is None else f" (phased {version.phased}%)"
            yield f"  {'*' if version.installed else ' '} {version.version}{priority}{phased}"
            yield from (f"      {source.raw}" for source in version.sources)

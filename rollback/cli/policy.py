"""The verb of `rollback` that says what a file of a machine that cannot be reached says can be had."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.options import GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen

from .offline import FILE, read_policy

if TYPE_CHECKING:
    from rollback.packaging.deb.apt_policy import Policy, PolicyPackage


@click.command(
    epilog="""\b
Examples:
  apt-cache policy nova-common > policy.txt; rollback policy policy.txt
  rollback policy versions.txt -o json

\b
A file that is translated, cut off or of another kind is refused with its line (exit 10): make it
with LC_ALL=C. A last line without an end is told on stderr. A file cut off between two whole lines
is what had been printed until then; compute names the packages that it then knows nothing of."""
)
@click.argument("file", type=FILE)
@flags(*GENERAL[1:])
def policy(flags: Flags, file: Path) -> None:
    """What FILE says can be had: the output of apt-cache policy, apt-cache madison, dnf list or yum list --showduplicates.

    FILE may be - for standard input. With -o json what the file does not say is null, and the kind of a source is `archive` or
    `status` (installed, nothing to fetch).
    """
    screen = Screen(flags)
    found = read_policy(screen, file)
    screen.result({"packages": [_document(one) for one in found.packages]}, "\n".join(_lines(found)))


def _document(package: "PolicyPackage") -> dict[str, Any]:
    """As the codec writes it; `phased` stands only where apt showed it."""
    from nornir_upgrade.core import codec

    found: dict[str, Any] = codec.to_builtins(package)
    for version in found["versions"]:
        if version["phased"] is None:
            del version["phased"]
    return found


def _lines(policy: "Policy") -> Iterator[str]:
    for package in policy.packages:
        yield f"{package.package}: installed {package.installed or '-'}, candidate {package.candidate or '-'}"
        for version in package.versions:
            priority = "" if version.priority is None else f" ({version.priority})"
            phased = "" if version.phased is None else f" (phased {version.phased}%)"
            yield f"  {'*' if version.installed else ' '} {version.version}{priority}{phased}"
            yield from (f"      {source.raw}" for source in version.sources)

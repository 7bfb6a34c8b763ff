"""The verb of `rollback` that computes a way back: to a snapshot, to a release, or from text files."""

from collections.abc import Callable
from pathlib import Path

import click

from nornir_upgrade.console.options import FLEET, GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen

from .computed import COMMANDS, Computed
from .options import MISSING, PARTING, TARGET, texts
from .request import ComputeRequest, collect

_CONFIG, _OUTPUT, *_TALK = GENERAL
_FORM = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", *COMMANDS, "json"]),
    default="text",
    show_default=True,
    help="text: name=version a line, name- for a removal; apt, dnf: one command a host.",
)


@click.command(
    epilog="""\b
Examples:
  rollback compute
  rollback compute --snapshot last -o apt --limit cmp1
  rollback compute --out manifests
  rollback compute --explain nova-common
  rollback compute --only 'nova*'
  rollback compute --release grizzly --rename neutron=quantum

\b
From text files of a machine that cannot be reached:
  dpkg --get-selections | grep -e nova -e neutron > installed
  LC_ALL=C apt-cache policy $(cut -f1 installed) $(cut -f1 installed | sed s/neutron/quantum/) > policy
  rollback compute --installed installed --policy policy --release grizzly --rename neutron=quantum

\b
Every package is accounted for (-o json shows all). If an old version cannot be had, the exit code is 21. Then
stdout has the nearest consistent state (from text files: the rest), and stderr names each package that differs,
with its reasons. A script that needs every package must check the exit code before it uses stdout.
--missing keep and --missing remove agree to the nearest state: then the exit code is 0."""
)
@TARGET[0]
@TARGET[1]
@MISSING
@PARTING[0]
@PARTING[1]
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write one manifest a host."
)
@click.option("--explain", metavar="PACKAGE", default="", help="What happens to PACKAGE on each host, and why.")
@flags(_CONFIG, _FORM, *_TALK, *FLEET)
@texts
@collect(ComputeRequest)
def compute(flags: Flags, out: Path | None, explain: str, request: ComputeRequest) -> None:
    """Compute what must happen to every package of every host to make it as it was. Changes nothing.

    With --installed: the same for one machine, from text files alone.
    """
    computed = _way(request)(flags, request)
    computed.show(Screen(flags), request.only, out, explain)


def _way(request: ComputeRequest) -> Callable[[Flags, ComputeRequest], Computed]:
    if request.installed is not None:
        from .offline import from_texts

        return from_texts
    if request.release:
        from .release import from_release

        return from_release
    from .snapshot import from_snapshot

    return from_snapshot

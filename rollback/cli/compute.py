"""The verb of `rollback` that computes a way back."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.options import FLEET, GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen

from .offline import Texts, from_texts, texts
from .options import FOUND, MISSING, PARTING, TARGET, parting, policy, target
from .output import COMMANDS, by_host
from .release import from_release

if TYPE_CHECKING:
    from rollback.assess import Assessment

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
Without a machine, from text files of it:
  dpkg --get-selections | grep -e nova -e neutron > installed
  LC_ALL=C apt-cache policy $(cut -f1 installed) $(cut -f1 installed | sed s/neutron/quantum/) > policy
  rollback compute --installed installed --policy policy --release grizzly --rename neutron=quantum

\b
Every package is accounted for (-o json shows all). Where an old version cannot be had, stdout has the nearest
consistent state (of text files: the rest), stderr names each package that differs with its reasons, and
the exit code is 21: a script that must have all of them checks it before it uses what was printed.
With --missing keep or --missing remove, which agree to that, it is 0."""
)
@TARGET[0]
@TARGET[1]
@MISSING
@PARTING[0]
@PARTING[1]
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="One manifest a host.")
@click.option("--explain", metavar="PACKAGE", default="", help="What happens to PACKAGE on each host, and why.")
@flags(_CONFIG, _FORM, *_TALK, *FLEET)
@texts
def compute(
    flags: Flags,
    run: str,
    snapshot: str,
    missing: str | None,
    remove_foreign: bool,
    purge: tuple[str, ...],
    out: Path | None,
    explain: str,
    texts: Texts,
) -> None:
    """What must happen to every package of every host, so that all are as they were. Changes nothing.

    With --installed the same for one machine that is known from text files alone.
    """
    if texts.installed is not None:
        if run or snapshot or flags.limit or missing or remove_foreign or purge:
            raise click.UsageError(
                "--run, --snapshot, --missing, --remove-foreign, --purge and --limit are for hosts that are asked: "
                "not with --installed"
            )
        from_texts(flags, texts, out, explain)
        return
    texts.refuse_alone()
    if texts.release:
        if run or snapshot or missing or remove_foreign or purge:
            raise click.UsageError(
                "--release needs no snapshot: give it without --run, --snapshot, --missing, --remove-foreign and --purge"
            )
        from_release(flags, texts, out, explain)
        return
    from nornir_upgrade.config.settings import read
    from nornir_upgrade.console.counter import tally
    from nornir_upgrade.core.store import Store
    from nornir_upgrade.runner.session import looking, reading
    from rollback.assess import assess
    from rollback.foreign.text import unmatched
    from rollback.manifest.files import reasons, refuse_unmatched, write_all

    screen, solver, asked = Screen(flags), policy(missing, texts.only), parting(remove_foreign, purge)
    with reading(flags.config) as journal:
        where = target(journal, run, snapshot)
        with looking(flags.config, limit=flags.limit, workers=flags.workers) as fleet, tally(screen, FOUND) as progress:
            store = Store(read(flags.config).store)
            found = assess(fleet, fleet.names, journal, store, where, solver=solver, asked=asked, progress=progress)
    refuse_unmatched(found.manifests.values(), texts.only)
    if out is not None:
        write_all(found.manifests, out)
    if explain:
        lines = reasons(found.manifests.values(), explain)
        screen.result({"package": explain, "reasons": list(lines)}, "\n".join(lines))
    else:
        screen.result(_documents(found), _words(found, flags.output))
    for pattern in unmatched(found.manifests.values(), asked):
        screen.warn(f"--purge {pattern!r} is for no package that goes.")
    _judge(screen, found, missing=missing is not None)


def _judge(screen: Screen, found: "Assessment", *, missing: bool) -> None:
    """Say on stderr what the way back does not reach, and what goes along. Raises where nobody agreed to that."""
    from rollback.foreign.text import data_in_text, stays_in_text
    from rollback.manifest.deviations import in_text, pulled_in, require_agreed
    from rollback.manifest.model import require_solved

    manifests = tuple(found.manifests.values())
    require_solved(manifests)
    for text in filter(None, (stays_in_text(found.manifests), data_in_text(found.manifests), pulled_in(manifests))):
        screen.note(text)
    require_agreed(manifests, missing=missing)
    if text := in_text(manifests):
        screen.warn(text)


def _documents(found: "Assessment") -> dict[str, Any]:
    from rollback.manifest.model import document

    return {"manifests": [document(manifest) for manifest in found.manifests.values()]}


def _words(found: "Assessment", form: str) -> str:
    from rollback.manifest.commands import of_host
    from rollback.manifest.model import lines

    return by_host(
        {
            host: of_host(manifest, form, found.now[host]) if form in COMMANDS else lines(manifest)
            for host, manifest in found.manifests.items()
        }
    )

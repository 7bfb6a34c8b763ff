"""`rollback escrow`: the old packages, configurations and dumps that are kept for a way back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.exit_codes import Verbs
from nornir_upgrade.console.options import FLEET, GENERAL, Flags, flags
from nornir_upgrade.console.output import Screen
from nornir_upgrade.console.text import in_bytes
from nornir_upgrade.core.errors import DigestMismatch, Unobtainable, Unreachable

if TYPE_CHECKING:
    from nornir_upgrade.core.escrow.collect import Collected
    from nornir_upgrade.core.escrow.escrow import Escrow
    from nornir_upgrade.core.facts.gather import HostFacts
    from nornir_upgrade.core.journal import Journal
    from nornir_upgrade.runner.required_files import Needs
    from nornir_upgrade.runner.session import Session
    from rollback.escrow.verify import EscrowCheck


@click.group(cls=Verbs)
def escrow() -> None:
    """The bytes that are kept for a way back: old packages, configurations and dumps."""


@escrow.command(
    "list",
    epilog="""\b
Examples:
  rollback escrow list
  rollback escrow list -o json""",
)
@flags(*GENERAL)
def list_(flags: Flags) -> None:
    """What is kept: package files with where they came from and where they are, and what runs captured."""
    from nornir_upgrade.core import codec
    from nornir_upgrade.runner.required_files import captures
    from rollback.escrow import text as escrow_text

    with _reading(flags) as (kept, journal):
        captured = captures(journal.runs())
        packages, objects = kept.list(), tuple(kept.store.digests())
        sizes = {digest: kept.store.size(digest) for digest in objects}
    document = {
        "packages": [
            codec.to_builtins(one) | {"controller": one.digest in sizes, "hosts": list(kept.holders.of(one.digest))}
            for one in packages
        ],
        "captures": [codec.to_builtins(one) | {"size": sizes.get(one.digest)} for one in captured],
        "objects": len(objects),
        "bytes": sum(sizes.values()),
    }
    parts = [
        text for text in (escrow_text.packages(packages, kept.places), escrow_text.captures(captured, sizes)) if text
    ]
    parts.append(f"{len(objects)} objects, {in_bytes(sum(sizes.values()))}.")
    Screen(flags).result(document, "\n\n".join(parts))


@escrow.command(
    epilog="""\b
Examples:
  rollback escrow show last web1
  rollback escrow show last web1 /etc/shop/shop.conf >shop.conf

A run captures files before it changes them, a way back too: what somebody edited before a way back restored
the older file is in the captures of the way back."""
)
@click.argument("run")
@click.argument("host")
@click.argument("path", default="")
@flags(*GENERAL)
def show(flags: Flags, run: str, host: str, path: str) -> None:
    """List the files that a run captured on HOST, or write one of them to stdout, byte for byte."""
    from difflib import get_close_matches

    from nornir_upgrade.console.streams import put_bytes
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.errors import InvalidInput, UnknownName
    from nornir_upgrade.runner.required_files import captured_files
    from rollback.escrow import text as escrow_text

    with _reading(flags) as (kept, journal):
        found = journal.run(run)
        if host not in found.plan.hosts:
            raise UnknownName("host of that run", host, found.plan.hosts)
        files = captured_files(found, host)
        if path and path not in files:
            raise UnknownName("captured file", path, get_close_matches(path, files, 5, 0.5) or list(files)[:20])
        if not path:
            document = {"run": found.id, "host": host, "files": [codec.to_builtins(one) for one in files.values()]}
            Screen(flags).result(document, escrow_text.files(files.values()))
            return
        one = files[path]
        if one.kind != "file":
            raise InvalidInput(f"{path} was a {one.kind}{' to ' * bool(one.target)}{one.target}, which has no bytes")
        put_bytes(kept.store.get(one.digest))


@escrow.command(
    epilog="""\b
Examples:
  rollback escrow verify

Everything is read to its end, on hosts that keep copies too. Exit 22 where anything is damaged or lost; nothing is ever
restored from that. Exit 30 where a host's copies could not be read, and nothing else is wrong."""
)
@flags(*GENERAL)
def verify(flags: Flags) -> int:
    """Read everything that is kept, and name what is not what was kept."""
    from nornir_upgrade.core import codec
    from nornir_upgrade.runner.required_files import captures
    from rollback.escrow import text as escrow_text
    from rollback.escrow.prune import pictured, restorable
    from rollback.escrow.verify import inspect
    from rollback.snapshot import entries

    with _reading(flags) as (kept, journal):
        needed, led_to = restorable(journal.runs(), entries(journal))
        found = _with_copies(flags, kept, inspect(kept, (*captures(needed), *pictured(led_to))))
    Screen(flags).result(codec.to_builtins(found), escrow_text.inspected(found))
    if found.faults:
        return DigestMismatch.exit_code
    return Unreachable.exit_code if found.silent else 0


@escrow.command(
    epilog="""\b
Examples:
  rollback escrow fetch --plan plan.json
  rollback escrow fetch 'nova*' 'python3-nova*' --limit @compute
  rollback escrow fetch --run last

Without --plan, --run and --snapshot: what is installed now and matches PATTERN, all of it where there is none.
Each file comes once for the whole fleet: from a host's cache, through its repositories, or rebuilt from the installed
files; to where `keep` in config.yaml says. Cut off, it goes on where it ended. Exit 21 where something cannot be had."""
)
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "--plan", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="What that plan changes or removes."
)
@click.option(
    "--run", default="", metavar="RUN", help="What a way back to before that run would install, and is not there."
)
@click.option(
    "--snapshot", default="", metavar="ID", help="What a way back to that snapshot would install, and is not there."
)
@flags(*GENERAL, *FLEET)
def fetch(flags: Flags, patterns: tuple[str, ...], plan: Path | None, run: str, snapshot: str) -> int:
    """Bring package files of the hosts into escrow. Installs and removes nothing on them."""
    from nornir_upgrade.runner import keep
    from nornir_upgrade.runner.required_files import managers
    from nornir_upgrade.runner.session import at_work, gather_all

    if bool(patterns) + bool(plan) + bool(run or snapshot) > 1:
        raise click.UsageError("PATTERN, --plan, and --run or --snapshot each say what is fetched: give one")
    screen = Screen(flags)
    with at_work(flags.config, "rollback escrow fetch", limit=flags.limit, workers=flags.workers) as session:
        facts = gather_all(session.fleet)
        wanted = _wanted(session, facts, patterns, plan, run, snapshot)
        found = keep.fetch(session, managers(facts), wanted, screen, "fetched")
    return _conclude(screen, found, sum(len(files) for files in wanted.values()))


@escrow.command(
    epilog="""\b
Examples:
  rollback escrow prune
  rollback escrow prune --yes -o json

Kept is what a way back from any run may need that is neither undone nor untouched, every snapshot that was taken for itself,
and package files that were fetched since the last run began. What goes of what hosts keep is removed there; who does not
answer is told, and asked again by the next prune."""
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@flags(*GENERAL)
def prune(flags: Flags) -> None:
    """Remove what no way back needs any more: shows it, and asks."""
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.escrow import fleet_copies
    from nornir_upgrade.core.escrow.escrow import Escrow
    from nornir_upgrade.runner.session import at_work
    from rollback.escrow import text as escrow_text
    from rollback.escrow.prune import restorable, unreferenced
    from rollback.snapshot import entries, read

    screen = Screen(flags)
    # While nobody else works: what a run has just kept stands in no event yet.
    with at_work(flags.config, "rollback escrow prune") as session:
        kept, journal = Escrow.beside(session.store), session.journal
        objects = tuple(kept.store.digests())
        among = (kept.list(), objects, kept.holders.list())
        found = unreferenced(journal.runs(), entries(journal), partial(read, journal), *among)
        size = sum(map(kept.store.size, found.objects))
        document: dict[str, Any] = {
            "packages": [str(one.file) for one in found.packages],
            "objects": list(found.objects),
            "bytes": size,
            "copies": codec.to_builtins(found.copies),
        }
        if not found:
            screen.result(document, escrow_text.all_needed(*restorable(journal.runs(), entries(journal))))
            return
        screen.require_consent()
        screen.note("\n".join(escrow_text.waste(found, kept.list())))
        screen.confirm(f"Remove {escrow_text.amount(found, size)}?")
        document["left"] = left = fleet_copies.drop(session.fleet, session.fleet.names, kept, found.copies)
        for host, reason in left.items():
            screen.warn(f"{host} keeps its copies: {reason}")
        kept.drop({one.file for one in found.packages})
        for digest in found.objects:
            kept.store.remove(digest)
        kept.sweep()
        done = replace(found, copies={host: ones for host, ones in found.copies.items() if host not in left})
        screen.result(document, f"Removed {escrow_text.amount(done, size)}.")


def _with_copies(flags: Flags, kept: "Escrow", found: "EscrowCheck") -> "EscrowCheck":
    """`found`, and what was found of the copies on hosts. Where no host keeps any, no host is asked."""
    from nornir_upgrade.runner.session import looking
    from rollback.escrow.verify import inspect_copies

    if not kept.holders.list():
        return found
    with looking(flags.config) as fleet:
        more = inspect_copies(kept, fleet, fleet.names)
    return replace(found, faults=(*found.faults, *more.faults), copies=more.copies, silent=more.silent)


@contextmanager
def _reading(flags: Flags) -> "Iterator[tuple[Escrow, Journal]]":
    from nornir_upgrade.config import settings
    from nornir_upgrade.core.escrow.escrow import Escrow
    from nornir_upgrade.core.store import Store
    from nornir_upgrade.runner.session import reading

    with reading(flags.config) as journal:
        yield Escrow.beside(Store(settings.read(flags.config).store)), journal


def _wanted(
    session: "Session",
    facts: "Mapping[str, HostFacts]",
    patterns: Sequence[str],
    plan: Path | None,
    run: str,
    snapshot: str,
) -> "Needs":
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.errors import InvalidInput
    from nornir_upgrade.core.plan import Plan
    from nornir_upgrade.runner.required_files import installed, lost, needs

    from .options import target

    if plan is not None:
        try:
            text = plan.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{plan}: {error.strerror}") from None
        return needs(codec.loads(text, Plan, source=str(plan)), facts)
    if run or snapshot:
        then = target(session.journal, run, snapshot)
        return lost({one.host: one for one in then.hosts}, facts)
    return installed(facts, patterns)


def _conclude(screen: Screen, found: "Collected", wanted: int) -> int:
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.errors import DiskFull
    from rollback.escrow import text as escrow_text

    size = sum(one.size for one in found.kept)
    document = {
        "fetched": [codec.to_builtins(one) for one in found.kept],
        "bytes": size,
        "missing": [{"package": str(file), "reason": reason} for file, reason in sorted(found.missing.items())],
        "without": dict(found.without),
        "failures": {host: str(failure) for host, failure in sorted(found.failures.items())},
    }
    screen.result(document, escrow_text.fetched(found, wanted))
    for host, failure in sorted(found.failures.items()):
        screen.warn(f"{host} failed: {failure}")
    if any(isinstance(failure, DiskFull) for failure in found.failures.values()):
        return DiskFull.exit_code
    return Unobtainable.exit_code if found.missing else 0

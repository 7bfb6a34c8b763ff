"""The verbs of `rollback escrow`: they list, read, fetch and remove what is kept for a way back."""

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
    from nornir_upgrade.core.transport.host import FileState
    from nornir_upgrade.runner.required_files import Needs
    from nornir_upgrade.runner.session import Session
    from rollback.escrow.prune import Unreferenced
    from rollback.escrow.verify import EscrowCheck


@click.group(cls=Verbs, name="escrow")
def verbs() -> None:
    """The bytes that are kept for a way back: old packages, configurations and dumps."""


@verbs.command(
    "list",
    epilog="""\b
Examples:
  rollback escrow list
  rollback escrow list -o json""",
)
@flags(*GENERAL)
def list_(flags: Flags) -> None:
    """List what is kept: package files with their source and places, and what runs captured."""
    from nornir_upgrade.core import codec
    from nornir_upgrade.runner.required_files import captures
    from rollback.escrow import text

    with _reading(flags) as (escrow, journal):
        captured = captures(journal.runs())
        packages = escrow.list()
        sizes = {digest: escrow.store.size(digest) for digest in escrow.store.digests()}
        holders = {package.digest: list(escrow.holders.of(package.digest)) for package in packages}
    document = {
        "packages": [
            codec.to_builtins(package) | {"controller": package.digest in sizes, "hosts": holders[package.digest]}
            for package in packages
        ],
        "captures": [codec.to_builtins(capture) | {"size": sizes.get(capture.digest)} for capture in captured],
        "objects": len(sizes),
        "bytes": sum(sizes.values()),
    }
    tables = (text.packages(packages, escrow.places), text.captures(captured, sizes))
    total = f"{len(sizes)} objects, {in_bytes(sum(sizes.values()))}."
    Screen(flags).result(document, "\n\n".join(filter(None, (*tables, total))))


@verbs.command(
    epilog="""\b
Examples:
  rollback escrow show last web1
  rollback escrow show last web1 /etc/shop/shop.conf >shop.conf

Each run captures files before it changes them. So does a way back: if it replaced a file that somebody had edited,
the edited file is in the captures of the way back."""
)
@click.argument("run")
@click.argument("host")
@click.argument("path", default="")
@flags(*GENERAL)
def show(flags: Flags, run: str, host: str, path: str) -> None:
    """List the files that a run captured on HOST, or write one of them to stdout, byte for byte."""
    from nornir_upgrade.console.streams import put_bytes
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.errors import UnknownName
    from nornir_upgrade.runner.required_files import captured_files
    from rollback.escrow import text

    with _reading(flags) as (escrow, journal):
        captured_by = journal.run(run)
        if host not in captured_by.plan.hosts:
            raise UnknownName("host of that run", host, captured_by.plan.hosts)
        files = captured_files(captured_by, host)
        if path:
            put_bytes(escrow.store.get(_regular(files, path).digest))
            return
    document = {"run": captured_by.id, "host": host, "files": list(map(codec.to_builtins, files.values()))}
    Screen(flags).result(document, text.files(files.values()))


def _regular(files: "Mapping[str, FileState]", path: str) -> "FileState":
    """The regular file that was captured at `path`. Raises `UnknownName` if nothing was, `InvalidInput` if it has no bytes."""
    from difflib import get_close_matches

    from nornir_upgrade.core.errors import InvalidInput, UnknownName

    if path not in files:
        raise UnknownName("captured file", path, get_close_matches(path, files, 5, 0.5) or list(files)[:20])
    file = files[path]
    if file.kind != "file":
        raise InvalidInput(f"{path} was a {file.kind}{' to ' * bool(file.target)}{file.target}, which has no bytes")
    return file


@verbs.command(
    epilog="""\b
Examples:
  rollback escrow verify

Every file is read to its end, on hosts that keep copies too. Exit 22: something is damaged or lost; it is never
restored. Exit 30: a host's copies could not be read, and nothing else is wrong."""
)
@flags(*GENERAL)
def verify(flags: Flags) -> int:
    """Read everything that is kept, and name what is damaged or lost."""
    from nornir_upgrade.core import codec
    from nornir_upgrade.runner.required_files import captures
    from rollback.escrow import text
    from rollback.escrow.prune import pictured, restorable
    from rollback.escrow.verify import inspect
    from rollback.snapshot import entries

    with _reading(flags) as (escrow, journal):
        runs, snapshots = restorable(journal.runs(), entries(journal))
        check = _with_copies(flags, escrow, inspect(escrow, (*captures(runs), *pictured(snapshots))))
    Screen(flags).result(codec.to_builtins(check), text.inspected(check))
    if check.faults:
        return DigestMismatch.exit_code
    return Unreachable.exit_code if check.silent else 0


@verbs.command(
    epilog="""\b
Examples:
  rollback escrow fetch --plan plan.json
  rollback escrow fetch 'nova*' 'python3-nova*' --limit @compute
  rollback escrow fetch --run last

Without --plan, --run and --snapshot: the installed packages that match PATTERN; without PATTERN, all of them.
Each file is fetched once for the whole fleet: from a host's cache, from its repositories, or rebuilt from the installed
files. `keep` in config.yaml says where it is kept. If interrupted, run the same command again: files that are kept
already are not fetched again. Exit 21: a file cannot be had."""
)
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "--plan",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The packages that the plan changes or removes.",
)
@click.option(
    "--run",
    default="",
    metavar="RUN",
    help="What was installed before that run, and is not now.",
)
@click.option(
    "--snapshot",
    default="",
    metavar="ID",
    help="What was installed at that snapshot, and is not now.",
)
@flags(*GENERAL, *FLEET)
def fetch(flags: Flags, patterns: tuple[str, ...], plan: Path | None, run: str, snapshot: str) -> int:
    """Fetch package files of the hosts into escrow. Installs and removes nothing on the hosts."""
    from nornir_upgrade.runner import keep
    from nornir_upgrade.runner.required_files import managers
    from nornir_upgrade.runner.session import at_work, gather_all

    if bool(patterns) + bool(plan) + bool(run or snapshot) > 1:
        raise click.UsageError("PATTERN, --plan, and --run or --snapshot each say what is fetched: give one")
    screen = Screen(flags)
    with at_work(flags.config, "rollback escrow fetch", limit=flags.limit, workers=flags.workers) as session:
        facts = gather_all(session.fleet)
        wanted = _wanted(session, facts, patterns, plan, run, snapshot)
        collected = keep.fetch(session, managers(facts), wanted, screen, "fetched")
    return _conclude(screen, collected, sum(len(files) for files in wanted.values()))


@verbs.command(
    epilog="""\b
Examples:
  rollback escrow prune
  rollback escrow prune --yes -o json

Kept: data of runs that can still be rolled back; manual snapshots; package files fetched since the last run started.
Copies on hosts are removed there. A host that does not answer is reported, and asked again by the next prune."""
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@flags(*GENERAL)
def prune(flags: Flags) -> None:
    """Remove what no way back needs any more. Shows the list, and asks."""
    from nornir_upgrade.core.escrow.escrow import Escrow
    from nornir_upgrade.runner.session import at_work
    from rollback.escrow import text
    from rollback.escrow.prune import restorable
    from rollback.snapshot import entries

    screen = Screen(flags)
    # The journal is locked meanwhile: no event refers yet to files that a working run has just stored.
    with at_work(flags.config, "rollback escrow prune") as session:
        escrow, journal = Escrow.beside(session.store), session.journal
        unneeded = _unneeded(escrow, journal)
        size = sum(map(escrow.store.size, unneeded.objects))
        document = _pruned(unneeded, size)
        if not unneeded:
            screen.result(document, text.all_needed(*restorable(journal.runs(), entries(journal))))
            return
        screen.require_consent()
        screen.note("\n".join(text.waste(unneeded, escrow.list())))
        screen.confirm(f"Remove {text.amount(unneeded, size)}?")
        failed = _remove(screen, session, escrow, unneeded)
        copies = {host: digests for host, digests in unneeded.copies.items() if host not in failed}
        removed = replace(unneeded, copies=copies)
        screen.result(document | {"left": failed}, f"Removed {text.amount(removed, size)}.")


def _unneeded(escrow: "Escrow", journal: "Journal") -> "Unreferenced":
    from rollback.escrow.prune import unreferenced
    from rollback.snapshot import entries, read

    among = (escrow.list(), tuple(escrow.store.digests()), escrow.holders.list())
    return unreferenced(journal.runs(), entries(journal), partial(read, journal), *among)


def _pruned(unneeded: "Unreferenced", size: int) -> dict[str, Any]:
    from nornir_upgrade.core import codec

    return {
        "packages": [str(package.file) for package in unneeded.packages],
        "objects": list(unneeded.objects),
        "bytes": size,
        "copies": codec.to_builtins(unneeded.copies),
    }


def _remove(screen: Screen, session: "Session", escrow: "Escrow", unneeded: "Unreferenced") -> dict[str, str]:
    """Remove it on the hosts first, then here; returns why hosts still keep their copies, by host, and reports it."""
    from nornir_upgrade.core.escrow import fleet_copies

    failed = fleet_copies.drop(session.fleet, session.fleet.names, escrow, unneeded.copies)
    for host, reason in failed.items():
        screen.warn(f"{host} keeps its copies: {reason}")
    escrow.drop({package.file for package in unneeded.packages})
    for digest in unneeded.objects:
        escrow.store.remove(digest)
    escrow.sweep()
    return failed


def _with_copies(flags: Flags, escrow: "Escrow", check: "EscrowCheck") -> "EscrowCheck":
    """`check`, and the check of the copies on hosts. If no host keeps copies, no host is asked."""
    from nornir_upgrade.runner.session import looking
    from rollback.escrow.verify import inspect_copies

    if not escrow.holders.list():
        return check
    with looking(flags.config) as fleet:
        on_hosts = inspect_copies(escrow, fleet, fleet.names)
    return replace(check, faults=(*check.faults, *on_hosts.faults), copies=on_hosts.copies, silent=on_hosts.silent)


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

    from .options import chosen_snapshot

    if plan is not None:
        try:
            text = plan.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{plan}: {error.strerror}") from None
        return needs(codec.loads(text, Plan, source=str(plan)), facts)
    if run or snapshot:
        then = chosen_snapshot(session.journal, run, snapshot)
        return lost({host.host: host for host in then.hosts}, facts)
    return installed(facts, patterns)


def _conclude(screen: Screen, collected: "Collected", wanted: int) -> int:
    """Print what was fetched; returns the exit code."""
    from nornir_upgrade.core import codec
    from nornir_upgrade.core.errors import DiskFull
    from rollback.escrow import text

    failures = sorted(collected.failures.items())
    document = {
        "fetched": [codec.to_builtins(package) for package in collected.kept],
        "bytes": sum(package.size for package in collected.kept),
        "missing": [{"package": str(file), "reason": reason} for file, reason in sorted(collected.missing.items())],
        "without": dict(collected.without),
        "failures": {host: str(failure) for host, failure in failures},
    }
    screen.result(document, text.fetched(collected, wanted))
    for host, failure in failures:
        screen.warn(f"{host} failed: {failure}")
    if any(isinstance(failure, DiskFull) for _, failure in failures):
        return DiskFull.exit_code
    return Unobtainable.exit_code if collected.missing else 0

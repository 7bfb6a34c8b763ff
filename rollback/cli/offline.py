"""`compute --installed`: the way back of a machine that cannot be reached, from text files alone."""

import platform
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen

from .computed import Computed, report_checks, words
from .request import ComputeRequest

if TYPE_CHECKING:
    from rollback.manifest.model import Manifest
    from rollback.offline.target import Target
    from rollback.packaging.candidate import Offer
    from rollback.packaging.listing import Listing
    from rollback.packaging.policy import VersionTable
    from rollback.packaging.text import Note


def from_texts(flags: Flags, request: ComputeRequest) -> Computed:
    """The way back of the one machine that the files describe; its name is that of the file --installed. No host is asked.

    Raises `UsageError` for flags that are for hosts, or if files are missing; `InvalidInput` if the files contradict each other.
    """
    from rollback.offline.consistency import checked_way
    from rollback.offline.offers import collect, installed_versions
    from rollback.offline.target import completed, contradictions

    _refuse_host_flags(flags, request)
    _require_files(request)
    assert request.installed is not None
    screen = Screen(flags)
    installed = _listing(screen, request.installed)
    _check_arch(request.arch, installed)
    older = _older(screen, request, installed)
    policies = [read_policy(screen, path) for path in request.policy]
    native = _native(request.arch, installed)
    offers = collect(_offered(installed, policies, request.index), installed.family, native)
    known = [version for policy in policies for version in installed_versions(policy)]
    for text in contradictions(installed, known, native):
        screen.warn(f"Caution: {text}")
    target = _target(request, completed(older, (), offers) if older else None)
    checked = checked_way(request.installed.stem, completed(installed, known, offers), offers, target)
    return Computed(
        {checked.manifest.host: checked.manifest},
        partial(_print, manifest=checked.manifest, native=native, form=flags.output),
        partial(report_checks, checks=(checked,)),
    )


def _refuse_host_flags(flags: Flags, request: ComputeRequest) -> None:
    if request.for_snapshot or flags.limit:
        raise click.UsageError(
            "--run, --snapshot, --missing, --remove-foreign, --purge and --limit are for hosts that are asked: "
            "not with --installed"
        )


def _require_files(request: ComputeRequest) -> None:
    if not request.release and request.target is None:
        raise click.UsageError("where to? give --release NAME, --target FILE, or both")
    if not request.policy and not request.index:
        raise click.UsageError("what can be had? give --policy FILE or --index FILE")


def _check_arch(arch: str, listing: "Listing") -> None:
    from nornir_upgrade.core.packaging.format import format_of

    if arch:
        format_of(listing.family).check_arch(arch)


def _native(arch: str, listing: "Listing") -> str:
    """The machine's native architecture, as its package manager calls it: `arch`, or this machine's."""
    from rollback.packaging.registry import judgement_of

    return arch or judgement_of(listing.family).machine(platform.machine())


def _older(screen: Screen, request: ComputeRequest, installed: "Listing") -> "Listing | None":
    """The list of --target. Raises `InvalidInput` if it is of another family, or has no versions and no release names them."""
    from nornir_upgrade.core.errors import InvalidInput

    if request.target is None:
        return None
    older = _listing(screen, request.target)
    if older.family != installed.family:
        raise InvalidInput(
            f"{older.source} lists {older.family} packages, {installed.source} {installed.family} packages"
        )
    bare = [] if request.release else [listed for listed in older if not listed.version]
    if bare:
        raise InvalidInput(
            f"{older.source}, line {bare[0].line}: no version of {bare[0].name}",
            hint="name the release too: --release NAME",
        )
    return older


def _target(request: ComputeRequest, older: "Listing | None") -> "Target":
    from rollback.offline.target import Target, rename

    return Target(request.release, older, tuple(map(rename, request.rename)), request.only)


def _print(screen: Screen, manifest: "Manifest", native: str, form: str) -> None:
    """A document, or lines; without any line nothing is printed."""
    from rollback.manifest.model import document

    if screen.json:
        screen.result(document(manifest), "")
    elif lines := words(manifest, native, form):
        screen.result(None, "\n".join(lines))


def _offered(listing: "Listing", policies: Iterable["VersionTable"], indexes: Iterable[Path]) -> Iterator["Offer"]:
    from nornir_upgrade.core.errors import InvalidInput
    from rollback.offline import index_files as files
    from rollback.offline.offers import from_policy

    for policy in policies:
        if policy.family != listing.family:
            raise InvalidInput(
                f"the policy is of {policy.family} packages, {listing.source} of {listing.family} packages"
            )
        yield from from_policy(policy)
    for path in indexes:
        family, offers = files.read(path)
        if family != listing.family:
            raise InvalidInput(
                f"{path}: an index of {family} packages, {listing.source} lists {listing.family} packages"
            )
        yield from offers


def _listing(screen: Screen, path: Path) -> "Listing":
    from rollback.offline import formats
    from rollback.packaging.text import load

    text = load(path)
    listing = formats.listing(text)
    _report(screen, text.source, listing.notes)
    return listing


def read_policy(screen: Screen, path: Path) -> "VersionTable":
    """The versions that the file says can be had. Notes on its lines are reported on stderr."""
    from rollback.offline import formats
    from rollback.packaging.text import load

    text = load(path)
    policy = formats.policy(text)
    _report(screen, text.source, policy.notes)
    return policy


def _report(screen: Screen, source: str, notes: Iterable["Note"]) -> None:
    from nornir_upgrade.console.text import one_line

    for note in notes:
        place = f"{source}, line {note.line}" if note.line else source
        screen.note(f"{place}: {one_line(note.text, 200)}")

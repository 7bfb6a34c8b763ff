"""`compute --installed`: the way back of a machine that is known from text files alone."""

import functools
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.console.options import Flags
from nornir_upgrade.console.output import Screen

from .options import ONLY
from .output import judge, words

if TYPE_CHECKING:
    from rollback.offline.consistency import Checked
    from rollback.packaging.candidate import Offer
    from rollback.packaging.listing import Listing
    from rollback.packaging.policy import VersionTable
    from rollback.packaging.text import Note

FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)


@dataclass(frozen=True, slots=True)
class Texts:
    """The flags of `compute` for a machine that cannot be reached, as they were given."""

    installed: Path | None = None
    policy: tuple[Path, ...] = ()
    index: tuple[Path, ...] = ()
    target: Path | None = None
    arch: str = ""
    release: str = ""
    rename: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def refuse_alone(self) -> None:
        """Raises `UsageError` where flags were given that mean something beside --installed, or beside --release, alone."""
        for_hosts = ("only", "release", "rename") if self.release else ("only",)
        given = [field.name for field in fields(self) if getattr(self, field.name) and field.name not in for_hosts]
        if given and self.installed is None:
            raise click.UsageError(
                f"--{given[0]} goes with --installed FILE" + (" or --release NAME" if given[0] == "rename" else "")
            )


_OPTIONS = (
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
        help="What it can have: apt-cache policy, apt-cache madison, dnf or yum list --showduplicates (repeatable).",
    ),
    click.option(
        "--index",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="What it can have: a repository's Packages or primary.xml, also gz, xz, bz2, zst, lz4 (repeatable).",
    ),
    click.option("--target", type=FILE, metavar="FILE", help="To the packages of this older list, with --installed."),
    click.option(
        "--arch", default="", metavar="ARCH", help="Its architecture, with --installed (default: this machine's)."
    ),
    click.option(
        "--release",
        default="",
        metavar="NAME",
        help="To the newest versions of repositories that go by NAME: a part of the path, suite, codename, component, label or origin.",
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
    """A decorator for verbs: adds the flags of `Texts`, and hands them over as the keyword `texts`."""

    @functools.wraps(verb)
    def call(*args: Any, **given: Any) -> Any:
        own = {field.name: given.pop(field.name) for field in fields(Texts)}
        return verb(*args, texts=Texts(**{name: value for name, value in own.items() if value is not None}), **given)

    offered: Callable[..., Any] = call
    for option in reversed(_OPTIONS):
        offered = option(offered)
    return offered


def from_texts(flags: Flags, given: Texts, out: Path | None, explain: str) -> None:
    """The manifest of the one machine that the files tell of goes to stdout, what is wrong with it to stderr."""
    from rollback.manifest.files import reasons, refuse_unmatched, write_all
    from rollback.manifest.model import document

    screen = Screen(flags)
    checked, native = _manifest(screen, given)
    manifest = checked.manifest
    refuse_unmatched((manifest,), given.only)
    if out is not None:
        write_all({manifest.host: manifest}, out)
    if explain:
        lines = reasons((manifest,), explain)
        screen.result({"package": explain, "reasons": list(lines)}, "\n".join(lines))
    elif flags.json:
        screen.result(document(manifest), "")
    elif printed := words(manifest, native, flags.output):
        screen.result(None, "\n".join(printed))
    judge(screen, (checked,))


def _manifest(screen: Screen, given: Texts) -> "tuple[Checked, str]":
    """The way back, and the machine's native architecture."""
    from nornir_upgrade.core.errors import InvalidInput
    from nornir_upgrade.core.packaging.format import format_of
    from rollback.offline.consistency import checked_way
    from rollback.offline.offers import collect, installed_versions
    from rollback.offline.target import Target, completed, contradictions, rename
    from rollback.packaging.registry import judgement_of

    assert given.installed is not None
    if not given.release and given.target is None:
        raise click.UsageError("where to? give --release NAME, --target FILE, or both")
    if not given.policy and not given.index:
        raise click.UsageError("what can be had? give --policy FILE or --index FILE")
    listing = _listing(screen, given.installed)
    if given.arch:
        format_of(listing.family).check_arch(given.arch)
    target = _listing(screen, given.target) if given.target else None
    if target and target.family != listing.family:
        raise InvalidInput(
            f"{target.source} lists {target.family} packages, {listing.source} {listing.family} packages"
        )
    if target and not given.release and (bare := [one for one in target if not one.version]):
        raise InvalidInput(
            f"{target.source}, line {bare[0].line}: no version of {bare[0].name}",
            hint="name the release too: --release NAME",
        )
    policies = [read_policy(screen, path) for path in given.policy]
    native = given.arch or judgement_of(listing.family).machine(platform.machine())
    offers = collect(_offered(listing, policies, given.index), listing.family, native)
    known = [each for one in policies for each in installed_versions(one)]
    for text in contradictions(listing, known, native):
        screen.warn(f"Caution: {text}")
    aim = Target(
        given.release,
        completed(target, (), offers) if target else None,
        tuple(rename(one) for one in given.rename),
        given.only,
    )
    return checked_way(given.installed.stem, completed(listing, known, offers), offers, aim), native


def _offered(listing: "Listing", policies: Iterable["VersionTable"], indexes: Iterable[Path]) -> Iterator["Offer"]:
    from nornir_upgrade.core.errors import InvalidInput
    from rollback.offline import index_files as files
    from rollback.offline.offers import from_policy

    for one in policies:
        if one.family != listing.family:
            raise InvalidInput(f"the policy is of {one.family} packages, {listing.source} of {listing.family} packages")
        yield from from_policy(one)
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
    found = formats.listing(text)
    _tell(screen, text.source, found.notes)
    return found


def read_policy(screen: Screen, path: Path) -> "VersionTable":
    """What the file says can be had; what it gives reason to say is told."""
    from rollback.offline import formats
    from rollback.packaging.text import load

    text = load(path)
    found = formats.policy(text)
    _tell(screen, text.source, found.notes)
    return found


def _tell(screen: Screen, source: str, notes: Iterable["Note"]) -> None:
    from nornir_upgrade.console.text import one_line

    for note in notes:
        place = f"{source}, line {note.line}" if note.line else source
        screen.note(f"{place}: {one_line(note.text, 200)}")

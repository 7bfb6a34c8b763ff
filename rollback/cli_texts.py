"""The verbs of `rollback` that need no machine but text files from it: `policy`, and `compute --installed`."""

import functools
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nornir_upgrade.doors import GENERAL, Flags, flags
from nornir_upgrade.screen import Screen

from .cli_result import judge, words
from .cli_way import ONLY

if TYPE_CHECKING:
    from .consistency import Checked
    from .listing import Listing
    from .offers import Offer
    from .policy_text import Policy, PolicyPackage
    from .text import Note

_FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
# What dpkg calls the machines that the kernel names otherwise (dpkg-architecture(1)).
_DEBIAN = {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386", "armv7l": "armhf", "ppc64le": "ppc64el"}


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
        type=_FILE,
        metavar="FILE",
        help="Installed packages of a machine that cannot be reached: dpkg --get-selections, dpkg-query -W, dpkg -l or rpm -qa.",
    ),
    click.option(
        "--policy",
        type=_FILE,
        multiple=True,
        metavar="FILE",
        help="What it can have: apt-cache policy, apt-cache madison, dnf or yum list --showduplicates (repeatable).",
    ),
    click.option(
        "--index",
        type=_FILE,
        multiple=True,
        metavar="FILE",
        help="What it can have: a repository's Packages or primary.xml, also gz, xz, bz2, zst, lz4 (repeatable).",
    ),
    click.option("--target", type=_FILE, metavar="FILE", help="To the packages of this older list, with --installed."),
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
@click.argument("file", type=_FILE)
@flags(*GENERAL[1:])
def policy(flags: Flags, file: Path) -> None:
    """What FILE says can be had: the output of apt-cache policy, apt-cache madison, dnf list or yum list --showduplicates.

    FILE may be - for standard input. With -o json what the file does not say is null, and the kind of a source is `archive` or
    `status` (installed, nothing to fetch).
    """
    screen = Screen(flags)
    found = _policy(screen, file)
    screen.result({"packages": [_document(one) for one in found.packages]}, "\n".join(_lines(found)))


def from_texts(flags: Flags, given: Texts, out: Path | None, explain: str) -> None:
    """The manifest of the one machine that the files tell of goes to stdout, what is wrong with it to stderr."""
    from .manifests import reasons, write_all
    from .resolve import document

    screen = Screen(flags)
    native = given.arch or _DEBIAN.get(platform.machine(), platform.machine())
    checked = _manifest(screen, given, native)
    manifest = checked.manifest
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


def _manifest(screen: Screen, given: Texts, native: str) -> "Checked":
    from nornir_upgrade.core import evr
    from nornir_upgrade.core.errors import InvalidInput

    from . import nevra
    from .consistency import checked_way
    from .offers import collect, installed_versions
    from .offline import Aim, completed, contradictions, rename

    assert given.installed is not None
    if not given.release and given.target is None:
        raise click.UsageError("where to? give --release NAME, --target FILE, or both")
    if not given.policy and not given.index:
        raise click.UsageError("what can be had? give --policy FILE or --index FILE")
    listing = _listing(screen, given.installed)
    if given.arch:
        (evr.check_arch if listing.family == "deb" else nevra.check_arch)(given.arch)
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
    policies = [_policy(screen, path) for path in given.policy]
    if listing.family == "rpm":
        native = given.arch or platform.machine()
    offers = collect(_offered(listing, policies, given.index), listing.family, native)
    known = [each for one in policies for each in installed_versions(one)]
    for text in contradictions(listing, known, native):
        screen.warn(f"Caution: {text}")
    aim = Aim(
        given.release,
        completed(target, (), offers) if target else None,
        tuple(rename(one) for one in given.rename),
        given.only,
    )
    return checked_way(given.installed.stem, completed(listing, known, offers), offers, aim)


def _offered(listing: "Listing", policies: Iterable["Policy"], indexes: Iterable[Path]) -> Iterator["Offer"]:
    from nornir_upgrade.core.errors import InvalidInput

    from . import indexes as files
    from .offers import from_policy

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
    from . import formats
    from .text import load

    text = load(path)
    found = formats.listing(text)
    _tell(screen, text.source, found.notes)
    return found


def _policy(screen: Screen, path: Path) -> "Policy":
    from . import formats
    from .text import load

    text = load(path)
    found = formats.policy(text)
    _tell(screen, text.source, found.notes)
    return found


def _tell(screen: Screen, source: str, notes: Iterable["Note"]) -> None:
    from nornir_upgrade.words import one_line

    for note in notes:
        place = f"{source}, line {note.line}" if note.line else source
        screen.note(f"{place}: {one_line(note.text, 200)}")


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

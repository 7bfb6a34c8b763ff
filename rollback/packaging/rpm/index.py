"""`primary.xml`, the index of a repository, as a host has it: its packages of certain names. Pure."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from nornir_upgrade.core.packaging.rpm.dependencies import RPMLIB, names_in
from nornir_upgrade.core.packaging.rpm.rich_dependencies import parse
from rollback.packaging.candidate import Candidate, Control

from . import filelists, primary
from .filelists import Owners


def candidates(data: bytes, source: str, names: Collection[str]) -> Iterator[Candidate]:
    """The packages `names`, in the order of the index. Raises `InvalidInput` with the line if it is cut off or not an index."""
    for entry in primary.entries(data, source, names):
        if entry.name in names:
            yield Candidate(entry.name, entry.arch, entry.version, source, entry.digest, entry.size, entry.control)


def unlisted(controls: Iterable[Control]) -> frozenset[str]:
    """The paths that dependencies name and `primary.xml` omits: only a list of all files names their packages."""
    texts = {
        text for control in controls for field, text in control if field in ("Requires", "Conflicts") and "/" in text
    }
    return frozenset(filter(filelists.left_out, chain.from_iterable(map(_paths, texts))))


def with_files(offered: Iterable[Candidate], owners: Owners) -> tuple[Candidate, ...]:
    """`offered`, with the paths that a list of files names for them."""
    return tuple(filelists.with_files(offered, owners))


def _paths(text: str) -> Iterator[str]:
    """Of a field those names that are paths."""
    lines = (line for line in text.splitlines() if "/" in line and not line.startswith(RPMLIB))
    return (name for line in lines for name in names_in(parse(line)) if name.startswith("/"))

"""Repository indexes as files: Debian's `Packages` and rpm-md's `primary.xml`, plain or packed, as offers. Strict."""

import re
from pathlib import Path

from rollback.packaging import compressed
from rollback.packaging.candidate import Offer
from rollback.packaging.registry import judgements

_LABEL = re.compile(r"^(?:Origin|Label|Suite|Codename): *(?P<value>.*\S)", re.MULTILINE)
_DEPTH = 4  # folders from an index up to its release: binary-amd64, main, bookworm
_PACKED = (".gz", ".xz", ".bz2", ".zst", ".zstd", ".lz4")


def read(path: Path) -> tuple[str, tuple[Offer, ...]]:
    """The format of the index in `path`, and its offers. Raises `InvalidInput` with line and reason.

    The formats are tried in turn, the last registered first.
    """
    data = compressed.read(path)
    labels = (*labels_of(path), *_release_of(path))
    known = reversed(tuple(judgements()))
    format, judgement = next((format, judgement) for format, judgement in known if judgement.tells_index(data))
    return format.name, tuple(judgement.offers(data, str(path), labels))


def labels_of(path: Path) -> tuple[str, ...]:
    """The labels of the repository that its path contains: apt's own copies have `_` for the `/` of the address."""
    name = next((path.name.removesuffix(end) for end in _PACKED if path.name.endswith(end)), path.name)
    return tuple(part for part in (*path.parts[:-1], *name.split("_")) if part.strip("/"))


def _release_of(path: Path) -> tuple[str, ...]:
    """Origin, label, suite and codename from the `Release` file of the archive, or of apt's copy of it, if there is one."""
    parts = path.name.split("_")
    copied = [path.with_name("_".join((*parts[:end], ""))) for end in range(len(parts) - 1, 0, -1)]
    places = [f"{place}" for place in copied] + [f"{parent}/" for parent in list(path.parents)[:_DEPTH]]
    files = [Path(place + name) for place in places for name in ("InRelease", "Release")]
    file = next((file for file in files if file.is_file()), None)
    text = file.read_text(encoding="utf-8", errors="replace") if file else ""
    return tuple(match["value"] for match in _LABEL.finditer(text))

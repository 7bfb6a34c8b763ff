"""Repository indexes as files: Debian's `Packages` and rpm-md's `primary.xml`, plain or packed, as offers. Strict."""

import re
from pathlib import Path

from rollback.packaging import compressed
from rollback.packaging.candidate import Offer
from rollback.packaging.deb.index import packages
from rollback.packaging.listing import Family
from rollback.packaging.rpm import primary
from rollback.packaging.text import decode

_LABEL = re.compile(r"^(?:Origin|Label|Suite|Codename): *(?P<value>.*\S)", re.MULTILINE)
_DEPTH = 4  # folders from an index up to its release: binary-amd64, main, bookworm
_PACKED = (".gz", ".xz", ".bz2", ".zst", ".zstd", ".lz4")


def read(path: Path) -> tuple[Family, tuple[Offer, ...]]:
    """The offers of the index in `path`, and whose they are. Raises `InvalidInput` with line and reason."""
    data = compressed.read(path)
    labels = (*labels_of(path), *_release_of(path))
    if data.lstrip()[:1] == b"<":
        found = primary.entries(data, str(path))
        return "rpm", tuple(Offer(one.name, one.arch, one.version, str(path), labels, one.control) for one in found)
    return "deb", tuple(packages(decode(data, str(path)), labels))


def labels_of(path: Path) -> tuple[str, ...]:
    """What the repository goes by, as far as its path tells: apt's own copies have `_` for the `/` of the address."""
    name = next((path.name.removesuffix(end) for end in _PACKED if path.name.endswith(end)), path.name)
    return tuple(part for part in (*path.parts[:-1], *name.split("_")) if part.strip("/"))


def _release_of(path: Path) -> tuple[str, ...]:
    """Origin, label, suite and codename from the `Release` that lies where an archive, or apt's copy of one, keeps it, if any."""
    parts = path.name.split("_")
    copied = [path.with_name("_".join((*parts[:end], ""))) for end in range(len(parts) - 1, 0, -1)]
    places = [f"{place}" for place in copied] + [f"{parent}/" for parent in list(path.parents)[:_DEPTH]]
    files = [Path(place + name) for place in places for name in ("InRelease", "Release")]
    file = next((file for file in files if file.is_file()), None)
    text = file.read_text(encoding="utf-8", errors="replace") if file else ""
    return tuple(match["value"] for match in _LABEL.finditer(text))


# ---------------------------------------------------------------------- Packages

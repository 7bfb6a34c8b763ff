"""Repository indexes as files: Debian's `Packages` and rpm-md's `primary.xml`, plain or packed, as offers. Strict."""

import re
from collections.abc import Iterator
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version
from rollback.packaging import compressed
from rollback.packaging.candidate import control_of
from rollback.packaging.listing import Family
from rollback.packaging.rpm import primary
from rollback.packaging.text import Text, decode

from .offers import Offer

_WANTED = ("Package", "Version", "Architecture")
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


def packages(text: Text, labels: tuple[str, ...]) -> Iterator[Offer]:
    """The offers of a `Packages` file (deb822(5)). Refuses dpkg's status file and `Sources`, which offer no packages."""
    if not text.content.endswith("\n"):
        raise text.fail(text.content.count("\n") + 1, "the index is cut off", "fetch it again")
    stanza: dict[str, str] = {}
    begun, field = 1, ""
    for number, line in text.lines():
        if line and line[0] not in " \t":
            begun = begun if stanza else number
            field, colon, value = line.partition(":")
            if not colon or not field or " " in field:
                raise text.fail(number, f"no field of a package: {line[:80]!r}")
            if field in stanza:
                raise text.fail(number, f"{field} stands twice")
            stanza[field] = value.strip()
        elif line and stanza:
            stanza[field] = f"{stanza[field]} {line.strip()}".strip()
        elif not line and stanza:
            yield _offer(text, begun, stanza, labels)
            stanza = {}
        elif line:
            raise text.fail(number, f"goes on where nothing began: {line[:80]!r}")
    if stanza:
        yield _offer(text, begun, stanza, labels)


def _offer(text: Text, line: int, stanza: dict[str, str], labels: tuple[str, ...]) -> Offer:
    if "Status" in stanza or "Directory" in stanza:
        raise text.fail(line, "dpkg's status file, or an index of source packages: it offers nothing to install")
    missing = [name for name in _WANTED if not stanza.get(name)]
    if missing:
        raise text.fail(line, f"the package has no {' and no '.join(missing)}")
    name, version, arch = (stanza[field] for field in _WANTED)
    try:
        check_name(name, qualified=True), check_arch(arch), check_version(version)
    except InvalidInput as refusal:
        raise text.fail(line, refusal.message) from None
    return Offer(name, arch, version, text.source, labels, control_of(stanza))

"""Repository indexes as files: Debian's `Packages` and rpm-md's `primary.xml`, plain or packed, as offers. Strict.

Untrusted XML: a document with a DOCTYPE is refused, so that no entity is ever defined, let alone expanded.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.evr import check_arch, check_name, check_version

from . import compressed, nevra
from .listing import Family
from .offers import Offer
from .text import Text, decode

_WANTED = ("Package", "Version", "Architecture")
_COMMON = "http://linux.duke.edu/metadata/common"
_LABEL = re.compile(r"^(?:Origin|Label|Suite|Codename): *(?P<value>.*\S)", re.MULTILINE)
_DEPTH = 4  # folders from an index up to its release: binary-amd64, main, bookworm
_PACKED = (".gz", ".xz", ".bz2", ".zst", ".zstd", ".lz4")


def read(path: Path) -> tuple[Family, tuple[Offer, ...]]:
    """The offers of the index in `path`, and whose they are. Raises `InvalidInput` with line and reason."""
    data = compressed.read(path)
    labels = (*labels_of(path), *_release_of(path))
    if data.lstrip()[:1] == b"<":
        return "rpm", tuple(primary(data, str(path), labels))
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
    begun = 1
    for number, line in text.lines():
        if line and line[0] not in " \t":
            begun = begun if stanza else number
            field, colon, value = line.partition(":")
            if not colon or not field or " " in field:
                raise text.fail(number, f"no field of a package: {line[:80]!r}")
            if field in stanza:
                raise text.fail(number, f"{field} stands twice")
            stanza[field] = value.strip()
        elif not line and stanza:
            yield _offer(text, begun, stanza, labels)
            stanza = {}
        elif line and not stanza:
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
        return Offer(check_name(name, qualified=True), check_arch(arch), check_version(version), text.source, labels)
    except InvalidInput as refusal:
        raise text.fail(line, refusal.message) from None


# ---------------------------------------------------------------------- primary.xml


def primary(data: bytes, source: str, labels: tuple[str, ...]) -> list[Offer]:
    """The offers of an rpm-md `primary.xml` (createrepo_c(8)), which must hold as many packages as it says. No source packages."""
    reader = _Primary(source, labels)
    reader.read(data)
    return reader.offers


class _Primary:
    """One pass over the document, which keeps nothing but the package under way."""

    def __init__(self, source: str, labels: tuple[str, ...]) -> None:
        self.offers: list[Offer] = []
        self._source, self._labels = source, labels
        self._path: list[str] = []
        self._text: list[str] = []
        self._package: dict[str, str] | None = None
        self._said, self._seen = -1, 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read(self, data: bytes) -> None:
        """Afterwards `offers` holds them all. Raises `InvalidInput` where the document is not one, not whole or not to be trusted."""
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise InvalidInput(
                f"{self._source}, line {error.lineno}: damaged or cut off: {expat.ErrorString(error.code)}"
            ) from None
        if self._seen != self._said:
            raise self._fail(f"{self._seen} packages, where it says that there are {self._said}")

    def _fail(self, reason: str) -> InvalidInput:
        return InvalidInput(f"{self._source}, line {self._parser.CurrentLineNumber}: {reason}")

    def _refuse_doctype(self, *_: object) -> None:
        raise self._fail("a DOCTYPE, which no repository index has")

    def _start(self, tag: str, given: dict[str, str]) -> None:
        if not self._path:
            if tag != f"{_COMMON} metadata" or not given.get("packages", "").isdecimal():
                raise self._fail("not the primary index of an rpm repository")
            self._said = int(given["packages"])
        self._path.append(tag)
        self._text.clear()
        if len(self._path) == 2:
            self._package = {"type": given.get("type", "")}
        elif len(self._path) == 3 and tag == f"{_COMMON} version" and self._package is not None:
            self._package |= given

    def _end(self, tag: str) -> None:
        depth = len(self._path)
        self._path.pop()
        if depth == 3 and self._package is not None and tag in (f"{_COMMON} name", f"{_COMMON} arch"):
            self._package[tag.rpartition(" ")[2]] = "".join(self._text).strip()
        elif depth == 2 and self._package is not None:
            self._seen += 1
            self._offer(self._package)

    def _offer(self, package: dict[str, str]) -> None:
        if package["type"] != "rpm" or package.get("arch") in ("src", "nosrc"):
            return
        try:
            found = nevra.make(*(package[key] for key in ("name", "epoch", "ver", "rel", "arch")))
        except KeyError as missing:
            raise self._fail(f"the package has no {missing}") from None
        except InvalidInput as refusal:
            raise self._fail(refusal.message) from None
        self.offers.append(Offer(found.name, found.arch, found.evr, self._source, self._labels))

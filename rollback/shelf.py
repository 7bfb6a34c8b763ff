"""The shelf: repository indexes by digest, each once however many hosts have it, and kept for the next time. No more than a cache."""

import os
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.evr import check_arch, check_name, check_version
from nornir_upgrade.core.store import digest_of

from . import compressed
from .answer import Index
from .catalog import Candidate, control_of
from .universe import fields_of

_KEEP = 30 * 86400.0  # seconds since an index was last asked for


class Shelf:
    """Files below `root`, called by their digest. Whoever reads one verifies it, and takes a damaged one away."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def digests(self) -> frozenset[str]:
        """Of all that is there."""
        return frozenset(path.name for path in self.root.glob("[0-9a-f]*")) if self.root.is_dir() else frozenset()

    def put(self, files: Mapping[str, bytes]) -> None:
        """Afterwards `files` are there, and nothing that nobody asked for in a month."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for digest, data in files.items():
            handle, name = tempfile.mkstemp(dir=self.root, prefix=".incoming-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self.root / digest)
        for path in self.root.iterdir():
            if path.stat().st_mtime < time.time() - _KEEP:
                path.unlink(missing_ok=True)

    def get(self, digest: str) -> bytes:
        """The file. Raises `InvalidInput` where it is damaged; the next time it is fetched anew."""
        path = self.root / digest
        data = path.read_bytes()
        if digest_of(data) != digest:
            path.unlink()
            raise InvalidInput(f"{path}: was damaged, and is removed", hint="do it again: it is fetched anew")
        os.utime(path)
        return data


class Reader:
    """What the indexes on a shelf offer of the packages `names`; each index is read once."""

    def __init__(self, shelf: Shelf, names: Collection[str]) -> None:
        self._shelf, self._names = shelf, names
        self._stanzas: dict[str, tuple[tuple[str, str], ...]] = {}
        self._offered: dict[Index, Mapping[str, tuple[Candidate, ...]]] = {}

    def offered(self, index: Index) -> Mapping[str, tuple[Candidate, ...]]:
        """The candidates of an index by name, in its order."""
        if index not in self._offered:
            found: dict[str, tuple[Candidate, ...]] = {}
            for name, stanza in self._wanted(index.digest):
                found[name] = (*found.get(name, ()), _candidate(stanza, index))
            self._offered[index] = found
        return self._offered[index]

    def _wanted(self, digest: str) -> tuple[tuple[str, str], ...]:
        if digest not in self._stanzas:
            text = compressed.unpack(self._shelf.get(digest), digest).decode("utf-8", "surrogateescape")
            self._stanzas[digest] = tuple(_named(text, self._names, digest))
        return self._stanzas[digest]


def _named(text: str, names: Collection[str], digest: str) -> Iterator[tuple[str, str]]:
    """Name and stanza of the packages `names`. An archive has some 60,000, a host has one in forty."""
    if text and not text.endswith("\n"):
        raise InvalidInput(f"index {digest}: cut off")
    for stanza in text.split("\n\n"):
        head = stanza if stanza.startswith("Package: ") else stanza[stanza.find("\nPackage: ") + 1 :]
        name = head.partition("\n")[0].removeprefix("Package: ").strip()
        if name in names:
            yield name, stanza


def _candidate(stanza: str, index: Index) -> Candidate:
    fields = dict(fields_of(stanza))
    try:
        name, arch, version = (fields[key] for key in ("Package", "Architecture", "Version"))
        check_name(name, qualified=True), check_arch(arch), check_version(version)
        size = int(fields.get("Size") or "0")
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"{index.origin}: {fields.get('Package', '')}: no {error} that can be understood") from None
    except InvalidInput as refusal:
        raise InvalidInput(f"{index.origin}: {refusal.message}") from None
    return Candidate(
        name, arch, version, index.origin, fields.get("SHA256", ""), size, control_of(fields), (index.labels,)
    )

"""Shelf: a cache of repository indexes by digest, each only once for all hosts."""

import os
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.store import digest_of
from rollback.packaging import compressed
from rollback.packaging.candidate import Candidate
from rollback.packaging.registry import judgement_of

from .reply import Index

_KEEP = 30 * 86400.0  # seconds since an index was last asked for


class Shelf:
    """Files below `root`, named by their digest. `get` verifies a file, and removes a damaged one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def digests(self) -> frozenset[str]:
        """The digests of all files."""
        return frozenset(path.name for path in self.root.glob("[0-9a-f]*")) if self.root.is_dir() else frozenset()

    def put(self, files: Mapping[str, bytes]) -> None:
        """Store `files`, and remove files that were not read for 30 days."""
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
        """The file. Raises `InvalidInput` if it is damaged; then it is removed, to be fetched again."""
        path = self.root / digest
        data = path.read_bytes()
        if digest_of(data) != digest:
            path.unlink()
            raise InvalidInput(f"{path}: was damaged, and is removed", hint="do it again: it is fetched anew")
        os.utime(path)
        return data


class Reader:
    """Reads from indexes the candidates of the packages `names`."""

    def __init__(self, shelf: Shelf, names: Collection[str]) -> None:
        self._shelf, self._names = shelf, names
        self._read: dict[str, tuple[Candidate, ...]] = {}  # by digest, for no repository in particular
        self._offered: dict[Index, Mapping[str, tuple[Candidate, ...]]] = {}

    def offered(self, index: Index) -> Mapping[str, tuple[Candidate, ...]]:
        """The candidates of an index by name, in its order."""
        if index not in self._offered:
            by_name: dict[str, tuple[Candidate, ...]] = {}
            for candidate in self.candidates(index):
                mine = replace(candidate, origin=index.origin, labels=(index.labels,))
                by_name[candidate.name] = (*by_name.get(candidate.name, ()), mine)
            self._offered[index] = by_name
        return self._offered[index]

    def candidates(self, index: Index) -> tuple[Candidate, ...]:
        """The candidates of an index, whichever repository has it."""
        if index.digest not in self._read:
            data = self._unpacked(index.digest)
            self._read[index.digest] = tuple(judgement_of(index.family).candidates(data, index.origin, self._names))
        return self._read[index.digest]

    def complete(self, indexes: Iterable[Index], paths: Collection[str]) -> None:
        """Add to the candidates of `indexes` those of `paths` that they own, by the lists of files on the shelf."""
        for index in indexes:
            if lists := judgement_of(index.family).file_lists:
                data = self._unpacked(index.lists)
                self._read[index.digest] = lists.complete(self.candidates(index), data, index.origin, paths)

    def _unpacked(self, digest: str) -> bytes:
        return compressed.unpack(self._shelf.get(digest), digest)

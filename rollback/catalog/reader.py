"""What the indexes on a shelf offer of certain packages: each index is read once, however many hosts have it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from rollback.packaging import compressed
from rollback.packaging.candidate import Candidate
from rollback.packaging.deb import index as index_deb
from rollback.packaging.listing import Family
from rollback.packaging.rpm import filelists
from rollback.packaging.rpm import index as index_rpm

from .indexes import Shelf
from .reply import Index

_CANDIDATES: Mapping[Family, Callable[[bytes, str, Collection[str]], Iterator[Candidate]]] = {
    "deb": index_deb.candidates,
    "rpm": index_rpm.candidates,
}


class Reader:
    """What indexes offer of the packages `names`."""

    def __init__(self, shelf: Shelf, names: Collection[str]) -> None:
        self._shelf, self._names = shelf, names
        self._read: dict[str, tuple[Candidate, ...]] = {}  # by digest, for no repository in particular
        self._offered: dict[Index, Mapping[str, tuple[Candidate, ...]]] = {}

    def offered(self, index: Index) -> Mapping[str, tuple[Candidate, ...]]:
        """The candidates of an index by name, in its order."""
        if index not in self._offered:
            found: dict[str, tuple[Candidate, ...]] = {}
            for one in self.candidates(index):
                mine = replace(one, origin=index.origin, labels=(index.labels,))
                found[one.name] = (*found.get(one.name, ()), mine)
            self._offered[index] = found
        return self._offered[index]

    def candidates(self, index: Index) -> tuple[Candidate, ...]:
        """The candidates of an index, whichever repository has it."""
        if index.digest not in self._read:
            data = self._unpacked(index.digest)
            self._read[index.digest] = tuple(_CANDIDATES[index.family](data, index.origin, self._names))
        return self._read[index.digest]

    def complete(self, indexes: Iterable[Index], paths: Collection[str]) -> None:
        """Afterwards it is known which of `paths` the candidates of `indexes` have, whose lists of files are on the shelf."""
        for index in indexes:
            owners = filelists.owners(self._unpacked(index.lists), index.origin, paths)
            self._read[index.digest] = index_rpm.with_files(self.candidates(index), owners)

    def _unpacked(self, digest: str) -> bytes:
        return compressed.unpack(self._shelf.get(digest), digest)

"""The escrow: which package file is which object of the store, where it came from, and what it was checked against.

Each entry is an object too, in a store of its own beside: it is private, whole or absent, and a flipped bit in it is found, by
nothing but what the store does already. An entry is kept after its bytes, so that what it names was there: here, or on hosts
that hold copies (`holders`).
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nornir_upgrade.core import codec
from nornir_upgrade.core.errors import Unobtainable
from nornir_upgrade.core.packaging.package_file import Check, PackageFile, Source
from nornir_upgrade.core.store import Store

from .holders import Holders


@dataclass(frozen=True, slots=True)
class Kept:
    """A package file in escrow: the object `digest`, `size` bytes, which came from `host`.

    `source`: from the host's own cache, through its repositories, or `rebuilt` from the installed files, in which case its digest
    is its own, no archive's. `checked` against the signed index, its own signature, or by no more than the name that it bears.
    """

    file: PackageFile
    digest: str
    size: int
    host: str
    source: Source
    checked: Check
    at: str

    @property
    def rebuilt(self) -> bool:
        """Whether it was rebuilt, and is not the file of an archive."""
        return self.source == "rebuilt"


class Escrow:
    """Package files in `store` and on `holders`; `root` holds the entries. Thread-safe."""

    def __init__(self, store: Store, root: Path, holders: Holders) -> None:
        self.store = store
        self.entries = Store(root)
        self.holders = holders
        self._lock = threading.Lock()
        self._kept: dict[PackageFile, Kept] | None = None

    @classmethod
    def beside(cls, store: Store) -> "Escrow":
        """The escrow whose files are in `store`."""
        return cls(store, store.root.parent / "escrow", Holders(store.root.parent / "holders"))

    @contextmanager
    def passing(self) -> "Iterator[Escrow]":
        """Another escrow, of what only passes through here: it has what one who was killed left there, and is empty afterwards."""
        root = self.store.root.parent / "passing"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            yield Escrow(Store(root / "store"), root / "escrow", self.holders)
        finally:
            self.sweep()

    def sweep(self) -> None:
        """Afterwards nothing is left of what passed through, nor of what never became an object. As `Store.sweep`."""
        root = self.store.root.parent / "passing"
        for store in (Store(root / "escrow"), Store(root / "store")):
            store.sweep()
            for digest in tuple(store.digests()):
                store.remove(digest)
        self.store.sweep()

    def keep(self, kept: Kept) -> None:
        """Afterwards it is known, durably, that the bytes are kept. Raises `Unobtainable` where they are not."""
        if not self._anywhere(kept):
            raise Unobtainable(f"{kept.file}: the store holds no object {kept.digest}")
        self.entries.put(codec.dumps(kept).encode())
        with self._lock:
            known = self._read()
            known[kept.file] = _better(known.get(kept.file), kept)

    def replace(self, kept: Kept) -> None:
        """As `keep`, in place of what was known of the file, whose bytes are lost or damaged: it must not count any more."""
        if self.known(kept.file):
            self.drop({kept.file})
        self.keep(kept)

    def find(self, file: PackageFile) -> Kept | None:
        """What is kept of `file`, bytes and all, here or on a host, or `None`."""
        kept = self.known(file)
        return kept if kept is not None and self._anywhere(kept) else None

    def known(self, file: PackageFile) -> Kept | None:
        """The entry of `file`, whether its bytes are anywhere or not."""
        with self._lock:
            return self._read().get(file)

    def has_whole(self, file: PackageFile) -> bool:
        """Whether `file` is kept here and undamaged. Reads all of it."""
        kept = self.find(file)
        return kept is not None and not self.store.damaged(kept.digest)

    def require(self, file: PackageFile) -> Kept:
        """As `find`. Raises `Unobtainable` where the file is not kept."""
        if kept := self.find(file):
            return kept
        raise Unobtainable(f"the escrow holds no {file}", hint="rollback escrow list; rollback escrow fetch")

    def list(self) -> tuple[Kept, ...]:
        """All that is known to be kept, by name, whether its bytes are there or not. Entries that are damaged are not known."""
        with self._lock:
            return tuple(sorted(self._read().values(), key=lambda kept: kept.file))

    def damage(self) -> Iterator[str]:
        """What is wrong with entries and with the bytes of packages here, one line each; entries that are damaged name themselves."""
        for digest in self.entries.digests():
            if damage := self.entries.damaged(digest):
                yield f"entry of the escrow: {damage}"
        yield from self.holders.damage()
        for kept in self.list():
            if kept.digest not in self.store and self.holders.of(kept.digest):
                continue
            if damage := self.store.damaged(kept.digest):
                yield f"{kept.file}: {damage}"

    def drop(self, files: Collection[PackageFile]) -> None:
        """Afterwards nothing is known of `files`. Their bytes are another's to remove: they may serve for more."""
        for digest in tuple(self.entries.digests()):
            if not self.entries.damaged(digest) and self._entry(digest).file in files:
                self.entries.remove(digest)
        with self._lock:
            self._kept = {file: kept for file, kept in self._read().items() if file not in files}

    def places(self, digest: str) -> tuple[str, ...]:
        """The places that have it: the controller, then hosts by name."""
        return (*(("controller",) if digest in self.store else ()), *self.holders.of(digest))

    def _anywhere(self, kept: Kept) -> bool:
        return bool(self.places(kept.digest))

    def _read(self) -> dict[PackageFile, Kept]:
        if self._kept is None:
            self._kept = {}
            for digest in self.entries.digests():
                if not self.entries.damaged(digest):
                    kept = self._entry(digest)
                    self._kept[kept.file] = _better(self._kept.get(kept.file), kept)
        return self._kept

    def _entry(self, digest: str) -> Kept:
        return codec.loads(self.entries.get(digest), Kept, source=f"entry {digest} of the escrow")


def _better(copy: Kept | None, other: Kept) -> Kept:
    """What an archive had counts before what was rebuilt, and else the later one."""
    if copy is None or (copy.rebuilt and not other.rebuilt):
        return other
    if other.rebuilt and not copy.rebuilt:
        return copy
    return max(copy, other, key=lambda kept: kept.at)

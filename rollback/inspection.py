"""Inspection: whether everything that a way back would read from store and escrow is there, and whole."""

from collections.abc import Iterable
from dataclasses import dataclass

from nornir_upgrade.captures import Capture
from nornir_upgrade.core.escrow import Escrow


@dataclass(frozen=True, slots=True)
class Inspection:
    """How many objects of how many bytes were read, and what is wrong with any, one line each."""

    objects: int
    bytes: int
    faults: tuple[str, ...]


def inspect(escrow: Escrow, captured: Iterable[Capture]) -> Inspection:
    """Every object of the store and every entry of the escrow, read to its end; `captured` are those that must be there too."""
    store = escrow.store
    digests = tuple(store.digests())
    packages = {kept.digest for kept in escrow.list()}
    uses: dict[str, str] = {}
    for one in captured:
        uses.setdefault(one.digest, f"{one.what} {one.name} of {one.host}, run {one.run}")
    others = dict.fromkeys((*digests, *uses))
    faults = [
        f"{uses.get(digest, 'object')}: {said}"
        for digest in others
        if digest not in packages and (said := store.damaged(digest))
    ]
    entries = tuple(escrow.entries.digests())
    size = sum(map(store.size, digests)) + sum(map(escrow.entries.size, entries))
    return Inspection(len(digests) + len(entries), size, (*escrow.damage(), *faults))

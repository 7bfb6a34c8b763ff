"""Inspection: whether everything that a way back would read from store and escrow is there, and whole, here and on hosts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core.engine import Fleet
from nornir_upgrade.core.escrow import fleet_copies
from nornir_upgrade.core.escrow import host_copies as copies
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.runner.captures import Capture


@dataclass(frozen=True, slots=True)
class Inspection:
    """How many objects of how many bytes were read here, how many copies on hosts, and what is wrong with any, one line each.

    `silent` are the hosts whose copies nobody could read, and why.
    """

    objects: int
    bytes: int
    faults: tuple[str, ...]
    copies: int = 0
    silent: Mapping[str, str] = field(default_factory=dict)


def inspect(escrow: Escrow, captured: Iterable[Capture]) -> Inspection:
    """Every object of the store and every entry of the escrow, read to its end; `captured` are those that must be there too."""
    store = escrow.store
    digests = tuple(store.digests())
    packages = {kept.digest for kept in escrow.list()}
    uses: dict[str, str] = {}
    for one in captured:
        uses.setdefault(one.digest, f"{one.what} {one.name} of {one.host}" + f", run {one.run}" * bool(one.run))
    others = dict.fromkeys((*digests, *uses))
    faults = [
        f"{uses.get(digest, 'object')}: {said}"
        for digest in others
        if digest not in packages and (said := store.damaged(digest))
    ]
    entries = tuple(escrow.entries.digests())
    size = sum(map(store.size, digests)) + sum(map(escrow.entries.size, entries))
    return Inspection(len(digests) + len(entries), size, (*escrow.damage(), *faults))


def inspect_copies(escrow: Escrow, fleet: Fleet, names: Collection[str]) -> Inspection:
    """Every copy that a host is known to hold, read to its end there; `names` are those that can be asked."""
    holding = {one.host: frozenset(one.digests) for one in escrow.holders.list()}
    asked = [host for host in holding if host in names]
    answers = fleet.each(asked, lambda host: copies.whole(host, holding[host.name])) if asked else {}
    silent = {host: "it is not in the inventory" for host in holding if host not in names}
    found, failures = fleet_copies.parted(answers)
    silent |= {host: failure.message for host, failure in failures.items()}
    faults = [line for host, whole in found.items() for line in _missing(escrow, host, holding[host] - whole)]
    return Inspection(0, 0, tuple(faults), sum(len(holding[host]) for host in found), silent)


def _missing(escrow: Escrow, host: str, digests: Collection[str]) -> Iterator[str]:
    files = {kept.digest: str(kept.file) for kept in escrow.list()}
    for digest in sorted(digests, key=lambda one: (files.get(one, ""), one)):
        yield f"{host}: {files.get(digest, 'a file that is not known any more')}: copy {digest} is damaged or lost"

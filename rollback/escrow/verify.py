"""Checks of the escrow: whether all files for a way back exist and are undamaged, here and on hosts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nornir_upgrade.core.escrow import fleet_copies
from nornir_upgrade.core.escrow import host_copies as copies
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.transport.host import Fleet
from nornir_upgrade.runner.required_files import Capture


@dataclass(frozen=True, slots=True)
class EscrowCheck:
    """The number of `objects` read here, with `bytes` in all, and of `copies` read on hosts; the `faults`, one line each.

    `silent`: the hosts whose copies could not be read, and why.
    """

    objects: int
    bytes: int
    faults: tuple[str, ...]
    copies: int = 0
    silent: Mapping[str, str] = field(default_factory=dict)


def inspect(escrow: Escrow, captured: Iterable[Capture]) -> EscrowCheck:
    """Read every object of the store and every entry of the escrow to its end; `captured` objects must be among them."""
    store = escrow.store
    digests = tuple(store.digests())
    packages = {kept.digest for kept in escrow.list()}
    uses: dict[str, str] = {}
    for capture in captured:
        use = f"{capture.what} {capture.name} of {capture.host}" + f", run {capture.run}" * bool(capture.run)
        uses.setdefault(capture.digest, use)
    others = dict.fromkeys((*digests, *uses))
    faults = [
        f"{uses.get(digest, 'object')}: {damage}"
        for digest in others
        if digest not in packages and (damage := store.damaged(digest))
    ]
    entries = tuple(escrow.entries.digests())
    size = sum(map(store.size, digests)) + sum(map(escrow.entries.size, entries))
    return EscrowCheck(len(digests) + len(entries), size, (*escrow.damage(), *faults))


def inspect_copies(escrow: Escrow, fleet: Fleet, names: Collection[str]) -> EscrowCheck:
    """Read every copy that a host is known to hold to its end, on the host; `names` are the hosts that can be asked."""
    holding = {holder.host: frozenset(holder.digests) for holder in escrow.holders.list()}
    asked = [host for host in holding if host in names]
    answers = fleet.each(asked, lambda host: copies.whole(host, holding[host.name])) if asked else {}
    silent = {host: "it is not in the inventory" for host in holding if host not in names}
    whole, failures = fleet_copies.parted(answers)
    silent |= {host: failure.message for host, failure in failures.items()}
    faults = [line for host, intact in whole.items() for line in _missing(escrow, host, holding[host] - intact)]
    return EscrowCheck(0, 0, tuple(faults), sum(len(holding[host]) for host in whole), silent)


def _missing(escrow: Escrow, host: str, digests: Collection[str]) -> Iterator[str]:
    files = {kept.digest: str(kept.file) for kept in escrow.list()}
    for digest in sorted(digests, key=lambda digest: (files.get(digest, ""), digest)):
        yield f"{host}: {files.get(digest, 'a file that is no longer known')}: copy {digest} is damaged or lost"

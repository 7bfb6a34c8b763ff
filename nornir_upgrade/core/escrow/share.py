"""Sharing: package files into escrow where they are to be kept: at the controller, on the hosts whose way back needs them, or both.

A host holds what its own way back installs, and no more. What it has in its own cache becomes a copy there; what it does not have is
sent to it once. Where the hosts alone keep, at most what they send to each other passes through here.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import BinaryIO, Literal

from nornir_upgrade.core.errors import DigestMismatch, DiskFull, Failure, Unreachable
from nornir_upgrade.core.packaging.file_source import Held
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.transport.host import Fleet, Host

from . import fleet_copies, host_copies
from .collect import Collected, CollectProgress, collect, look, silent
from .escrow import Escrow, Kept

Place = Literal["controller", "host", "both"]
Needs = Mapping[str, Collection[PackageFile]]


def share(
    fleet: Fleet,
    managers: Mapping[str, str],
    needs: Needs,
    escrow: Escrow,
    place: Place,
    progress: Callable[[CollectProgress], None] = silent,
) -> Collected:
    """Afterwards what `needs` (host -> package files) names is kept at `place`, but for what the result says.

    `managers` (by host) are the hosts that may be asked. With `both`, a host without room goes
    `without` copies; with `host` it has failed.
    """
    if place == "host":
        return _on_hosts(fleet, managers, needs, escrow, progress)
    if escrow.holders.list():
        fleet_copies.fetch(fleet, managers, escrow, set().union(*needs.values()), escrow.store)
    collected = collect(fleet, managers, needs, escrow, progress)
    if place == "controller" or _full(collected.failures):
        return collected
    wanted = {host: [kept for file in files if (kept := escrow.find(file))] for host, files in needs.items()}
    failures = _settle(fleet, managers, wanted, escrow)
    return replace(collected, without={host: str(failure) for host, failure in failures.items()})


def _full(failures: Mapping[str, Exception]) -> bool:
    return any(isinstance(failure, DiskFull) for failure in failures.values())


# ---------------------------------------------------------------------- on the hosts alone


@dataclass(frozen=True, slots=True)
class _Stock:
    """What a host has of what it needs: whole copies, by digest, and what lies in its cache."""

    stands: frozenset[str] = frozenset()
    cached: Mapping[PackageFile, Held] = field(default_factory=dict)

    def has(self, kept: Kept) -> bool:
        return kept.digest in self.stands or self._cached(kept.file) == kept.digest

    def _cached(self, file: PackageFile) -> str:
        return self.cached[file].digest if file in self.cached else ""


def _on_hosts(
    fleet: Fleet,
    managers: Mapping[str, str],
    needs: Needs,
    escrow: Escrow,
    progress: Callable[[CollectProgress], None],
) -> Collected:
    asked = {host: files for host, files in needs.items() if files}
    answers = fleet.each(tuple(asked), lambda host: _stock(host, managers, asked[host.name], escrow)) if asked else {}
    stocks, failures = fleet_copies.parted(answers)
    failures = {host: failure for host, failure in failures.items() if not _trusted(host, failure, asked[host], escrow)}
    needs = {host: asked[host] for host in stocks}
    home = _at_home(needs, stocks, escrow)
    with escrow.passing() as through:
        away = {file for file in set().union(*needs.values()) - home.keys() if not escrow.has_whole(file)}
        fleet_copies.fetch(fleet, managers, escrow, away, through.store)
        away -= {file for file in away if (kept := escrow.known(file)) and kept.digest in through.store}
        collected = collect(
            fleet, managers, {host: away & set(files) for host, files in needs.items()}, through, progress
        )
        if _full(collected.failures):
            return replace(collected, kept=())
        had = _had(needs, home, through, escrow)
        wanted = {host: [had[file] for file in files if file in had] for host, files in needs.items()}
        failures |= _settle(fleet, managers, wanted, through, escrow)
    new = tuple(copy for copy in had.values() if copy != escrow.known(copy.file) and escrow.holders.of(copy.digest))
    for copy in new:
        escrow.replace(copy)
    lost = {file: str(failure) for host, failure in failures.items() for file in asked[host]}
    return Collected(new, {**lost, **collected.missing}, {**failures, **collected.failures})


def _had(needs: Needs, home: Mapping[PackageFile, Kept], through: Escrow, escrow: Escrow) -> dict[PackageFile, Kept]:
    """What can be given to whoever needs it: it is there at home, or its bytes are here."""
    copies = dict(home)
    for file in set().union(*needs.values()) - home.keys():
        known = escrow.known(file)
        if copy := through.find(file):
            copies[file] = copy
        elif known and (known.digest in through.store or known.digest in escrow.store):
            copies[file] = known
    return copies


def _stock(host: Host, managers: Mapping[str, str], files: Collection[PackageFile], escrow: Escrow) -> _Stock:
    known = {file: kept.digest for file in files if (kept := escrow.known(file))}
    stands = host_copies.whole(host, known.values()) if known else frozenset()
    rest = [file for file in files if known.get(file) not in stands]
    offers = look(host, managers[host.name], rest) if rest else {}
    return _Stock(stands, {file: offer.cached for file, offer in offers.items() if offer.cached})


def _trusted(host: str, failure: Exception, files: Collection[PackageFile], escrow: Escrow) -> bool:
    """Whether a host that does not answer is known to hold all of `files`."""
    known = [escrow.known(file) for file in files]
    return isinstance(failure, Unreachable) and {copy.digest if copy else "" for copy in known} <= escrow.holders.on(
        host
    )


def _at_home(needs: Needs, stocks: Mapping[str, _Stock], escrow: Escrow) -> dict[PackageFile, Kept]:
    """What every host that needs it has, the same bytes: nothing of it comes here."""
    who: dict[PackageFile, list[str]] = {}
    for host, files in needs.items():
        for file in files:
            who.setdefault(file, []).append(host)
    copies = {}
    for file, hosts in who.items():
        known = escrow.known(file)
        cached = (_kept(file, host, stocks[host].cached[file]) for host in hosts if file in stocks[host].cached)
        for kept in (*([known] if known else []), *cached):
            if file not in copies and all(stocks[host].has(kept) for host in hosts):
                copies[file] = kept
    return copies


def _kept(file: PackageFile, host: str, held: Held) -> Kept:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Kept(file, held.digest, held.size, host, "cache", held.check, at)


# ---------------------------------------------------------------------- copies in their places


def _settle(
    fleet: Fleet, managers: Mapping[str, str], wanted: Mapping[str, Sequence[Kept]], *escrows: Escrow
) -> dict[str, Failure]:
    """Afterwards each host holds what is `wanted` of it, out of its cache, or of a store of `escrows`; returns the failures."""

    def settle(host: Host) -> None:
        mine = {kept.digest: kept for kept in wanted[host.name]}
        held = _held(host, managers[host.name], mine, escrows)
        escrows[0].holders.add(host.name, held)

    asked = [host for host, ones in wanted.items() if ones]
    return fleet_copies.parted(fleet.each(asked, settle) if asked else {})[1]


def _held(host: Host, manager: str, wanted: Mapping[str, Kept], escrows: Sequence[Escrow]) -> frozenset[str]:
    """The digests of `wanted`, copies of which the host now has. Raises `DiskFull`: then it has no more of them than before."""
    stands = host_copies.whole(host, wanted)
    due = {digest: kept for digest, kept in wanted.items() if digest not in stands}
    if not due:
        return stands
    try:
        host_copies.take(host, _cached(host, manager, due), sum(kept.size for kept in due.values()))
        for digest in due.keys() - host_copies.whole(host, due):
            with _opened(digest, escrows) as source:
                host_copies.receive(host, source, digest)
    except DiskFull:
        host_copies.drop(host, due)
        raise
    if damaged := due.keys() - host_copies.whole(host, due):
        raise DigestMismatch(
            f"{host.name}: {len(damaged)} copies are not what was sent", hint="see to its disk, then do it again"
        )
    return stands | due.keys()


def _cached(host: Host, manager: str, due: Mapping[str, Kept]) -> dict[str, str]:
    """Where the host has them in its cache, by digest."""
    offers = look(host, manager, [kept.file for kept in due.values()])
    cached = (offer.cached for offer in offers.values() if offer.cached)
    return {copy.digest: copy.path for copy in cached if copy.digest in due}


@contextmanager
def _opened(digest: str, escrows: Sequence[Escrow]) -> Iterator[BinaryIO]:
    store = next((escrow.store for escrow in escrows if digest in escrow.store), escrows[0].store)
    with store.open(digest) as source:
        yield source

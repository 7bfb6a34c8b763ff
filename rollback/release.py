"""The way of hosts to a release that their own repositories offer, without a snapshot."""

from collections.abc import Iterator, Sequence

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.transport.host import Fleet
from rollback.catalog.catalogs import stock
from rollback.catalog.host_query import Wanted
from rollback.catalog.indexes import Shelf
from rollback.offline.consistency import Checked, checked_way
from rollback.offline.offers import collect
from rollback.offline.target import Target
from rollback.packaging.candidate import Catalog, Offer
from rollback.packaging.listing import Listed, Listing

from .assess import facts_of


def ways(fleet: Fleet, names: Sequence[str], aim: Target, shelf: Shelf) -> dict[str, tuple[Checked, str]]:
    """For each host its checked manifest, and its native architecture. Nothing changes anywhere.

    Raises `UnknownName` where no repository of a host goes by the name of the release, and as `facts_of`.
    """
    now = facts_of(fleet, names, {})
    wanted = {host: Wanted({}, frozenset(_names(facts, aim)), facts.os.family) for host, facts in now.items()}
    catalogs = stock(fleet, wanted, shelf)
    return {host: (_way(facts, catalogs[host], aim), facts.os.arch) for host, facts in now.items()}


def _names(facts: HostFacts, aim: Target) -> Iterator[str]:
    """What its packages are called now, and what they were called then."""
    for package in facts.packages:
        yield from (package.name, aim.old_name(package.name))


def _way(facts: HostFacts, found: Catalog, aim: Target) -> Checked:
    offers = collect(_offers(found), facts.os.family, facts.os.arch)
    return checked_way(facts.host, _listing(facts), offers, aim, found.present)


def _offers(found: Catalog) -> Iterator[Offer]:
    for one in found.candidates.values():
        for labels in one.labels:
            yield Offer(one.name, one.arch, one.version, one.origin, labels, one.control)


def _listing(facts: HostFacts) -> Listing:
    return Listing(facts.host, facts.os.family, tuple(map(_listed, (one for one in facts.packages if one.unpacked))))


def _listed(one: Package) -> Listed:
    settled = one.state in ("installed", "triggers-awaited", "triggers-pending") and not one.broken
    trouble = "" if settled else f"{one.state}{', must be reinstalled' * one.broken}"
    return Listed(0, one.name, one.arch, one.version, one.hold, trouble=trouble, auto=one.auto)

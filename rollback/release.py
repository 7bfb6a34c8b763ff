"""Releases: the way of hosts to one that their own repositories offer, without a snapshot."""

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


def ways(fleet: Fleet, names: Sequence[str], target: Target, shelf: Shelf) -> dict[str, tuple[Checked, str]]:
    """The checked manifest of each host, and the host's native architecture. Changes nothing on any host.

    Raises `UnknownName` if no repository of a host is called as the release, and as `facts_of`.
    """
    now = facts_of(fleet, names, {})
    wanted = {host: Wanted({}, frozenset(_names(facts, target)), facts.os.manager) for host, facts in now.items()}
    catalogs = stock(fleet, wanted, shelf)
    return {host: (_way(facts, catalogs[host], target), facts.os.arch) for host, facts in now.items()}


def _names(facts: HostFacts, target: Target) -> Iterator[str]:
    """The names of its packages now and in that release."""
    for package in facts.packages:
        yield from (package.name, target.old_name(package.name))


def _way(facts: HostFacts, catalog: Catalog, target: Target) -> Checked:
    offers = collect(_offers(catalog), facts.os.family, facts.os.arch)
    return checked_way(facts.host, _listing(facts), offers, target, catalog.present)


def _offers(catalog: Catalog) -> Iterator[Offer]:
    for candidate in catalog.candidates.values():
        for labels in candidate.labels:
            yield Offer(candidate.name, candidate.arch, candidate.version, candidate.origin, labels, candidate.control)


def _listing(facts: HostFacts) -> Listing:
    return Listing(
        facts.host, facts.os.family, tuple(map(_listed, (package for package in facts.packages if package.unpacked)))
    )


def _listed(package: Package) -> Listed:
    settled = package.state in ("installed", "triggers-awaited", "triggers-pending") and not package.broken
    trouble = "" if settled else f"{package.state}{', must be reinstalled' * package.broken}"
    return Listed(0, package.name, package.arch, package.version, package.hold, trouble=trouble, auto=package.auto)

"""Prefetch: the package files of one transaction, to a given set of versions, brought into the cache of the host's own manager.

It is the transaction's own command, told to download only. So a transaction without a network finds what it would fetch.
"""

from collections.abc import Sequence

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.packaging import lock
from nornir_upgrade.core.packaging.family import Delivery
from nornir_upgrade.core.packaging.model import PackageWant, differences
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

from .deliver import keeps, supplied, unfetched

JOB = "prefetch"


def prefetch(host: Host, store: Store, manager: str, want: Sequence[PackageWant], *, downgrade: bool) -> None:
    """Afterwards the transaction that leads `host` to `want` has nothing to fetch: each file is in the cache, or in escrow.

    Raises `CommandFailed` and others where a file does not come.
    """
    family = family_of(manager)
    present = family.present(host)
    if not differences(want, present):
        return
    due = want if downgrade else ()
    with supplied(host, store, manager, due, present) as delivered:
        change = family.manager.change(want, present, downgrade=downgrade, wait=lock.LOCK_WAIT)
        argv = fetching(manager, delivered.known_to_all(change)[0])
        host.forget(JOB)
        result = host.job(JOB, (argv,))
        host.forget(JOB)
        if result.status == 0:
            return
        failure = family.transactions.failure(host.name, result, _words(family.delivery))
        if not (isinstance(failure, CommandFailed) and unfetched(failure) and keeps(store, manager, due, present)):
            raise failure


def fetching(manager: str, argv: Sequence[str]) -> tuple[str, ...]:
    """`argv`, the command of a transaction, so that it only downloads what it would install."""
    delivery = family_of(manager).delivery
    at = list(argv).index(delivery.program) + 1
    return (*argv[:at], *delivery.download_only, *argv[at:])


def _words(delivery: Delivery) -> str:
    return f"{delivery.program} {delivery.download_only[-1]}"

"""Prefetch: the package files of one transaction, to a given set of versions, brought into the cache of the host's own manager.

It is the transaction's own command, told to download only. So a transaction without a network finds what it would fetch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.packaging import lock
from nornir_upgrade.core.packaging.family import Name, family_of
from nornir_upgrade.core.packaging.model import PackageWant, differences
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

from .deliver import keeps, supplied, unfetched

JOB = "prefetch"
_DNF_CONF = "/etc/dnf/dnf.conf"

_ONLY = {
    "deb": ("apt-get", ("--download-only",)),
    "rpm": ("dnf", ("--setopt=keepcache=True", "--downloadonly")),
}


def prefetch(host: Host, store: Store, family: Name, want: Sequence[PackageWant], *, downgrade: bool) -> None:
    """Afterwards the transaction that leads `host` to `want` has nothing to fetch: each file is in the cache, or in escrow.

    Raises `CommandFailed` and others where a file does not come.
    """
    of = family_of(family)
    present = of.manager.parse_query(host.run(of.manager.query()).text)
    if not differences(want, present):
        return
    due = want if downgrade else ()
    with supplied(host, store, family, due, present) as delivered:
        change = of.manager.change(want, present, downgrade=downgrade, wait=lock.LOCK_WAIT)
        argv = fetching(family, delivered.known_to_all(change)[0])
        host.forget(JOB)
        result = host.job(JOB, (argv,))
        host.forget(JOB)
        if result.status == 0:
            return
        failure = of.failure(host.name, result, " ".join(_words(family)))
        if not (isinstance(failure, CommandFailed) and unfetched(failure) and keeps(store, family, due, present)):
            raise failure


@contextmanager
def cut_off(host: Host, family: Name) -> Iterator[None]:
    """Within the block the manager does without a network: dnf takes what it has of indexes, however old that is (dnf.conf(5),
    cacheonly). apt does so by itself."""
    if family == "deb":
        yield
        return
    host.run(("sed", "-i", "s/^\\[main\\]$/&\\ncacheonly=True/", _DNF_CONF))
    try:
        yield
    finally:
        host.run(("sed", "-i", "/^cacheonly=True$/d", _DNF_CONF), check=False)  # what failed within is told


def fetching(family: Name, argv: Sequence[str]) -> tuple[str, ...]:
    """`argv`, the command of a transaction, so that it only downloads what it would install."""
    program, options = _ONLY[family]
    at = list(argv).index(program) + 1
    return (*argv[:at], *options, *argv[at:])


def _words(family: Name) -> tuple[str, str]:
    program, options = _ONLY[family]
    return program, options[-1]

"""Holdings: the copies of many hosts at once, as the hosts themselves tell of them; and one host's damaged copy mended by another's.

Only those hosts are asked that the controller knows as holders: where there is none, nobody is. Who does not answer has nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from nornir_upgrade.core.errands import errands
from nornir_upgrade.core.errors import Failure
from nornir_upgrade.core.packaging.package_file import PackageFile
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Fleet, Host

from . import host_copies
from .escrow import Escrow, Kept

T = TypeVar("T")


def whole(fleet: Fleet, names: Collection[str], escrow: Escrow, digests: Collection[str]) -> dict[str, frozenset[str]]:
    """Which of `digests` each of `names` holds undamaged; hosts that hold none are left out."""
    asked = {host: held for host in names if (held := escrow.holders.on(host) & set(digests))}
    return _told(fleet, asked, lambda host: host_copies.whole(host, asked[host.name]))


def heads(fleet: Fleet, names: Collection[str], escrow: Escrow, digests: Collection[str]) -> dict[str, bytes]:
    """The beginning of each of `digests` that one of `names` holds undamaged, from one of them."""
    asked = _errands(whole(fleet, names, escrow, digests))
    heads_ = _told(fleet, asked, lambda host: host_copies.heads(host, asked[host.name]))
    return {digest: head for ones in heads_.values() for digest, head in ones.items()}


def fetch(fleet: Fleet, names: Collection[str], escrow: Escrow, files: Collection[PackageFile], into: Store) -> None:
    """Afterwards the bytes of `files` are `into` a store, as far as one of `names` holds them undamaged."""
    due = {kept.digest for file in files if (kept := escrow.find(file)) and into.damaged(kept.digest)}
    asked = _errands(whole(fleet, names, escrow, due))

    def bring(host: Host) -> bool:
        for digest in asked[host.name]:
            into.fill(lambda sink: host_copies.send(host, digest, sink), expected=digest)  # noqa: B023
        return True

    _told(fleet, asked, bring)


def mend(fleet: Fleet, names: Collection[str], escrow: Escrow, needs: Mapping[str, Collection[PackageFile]]) -> None:
    """Afterwards each host holds undamaged what it needs and the controller does not have, as far as another of `names` does."""
    due = {host: _absent(escrow, files) for host, files in needs.items() if host in names}
    stand = whole(fleet, names, escrow, {kept.digest for ones in due.values() for kept in ones})
    lost = {host: [kept for kept in ones if kept.digest not in stand.get(host, ())] for host, ones in due.items()}
    if not any(lost.values()):
        return
    with escrow.passing() as through:
        fetch(fleet, names, escrow, {kept.file for ones in lost.values() for kept in ones}, through.store)
        sent = {host: [kept for kept in ones if kept.digest in through.store] for host, ones in lost.items()}
        _told(fleet, {host: ones for host, ones in sent.items() if ones}, lambda host: _send(host, through, sent))


def drop(fleet: Fleet, names: Collection[str], escrow: Escrow, going: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Afterwards hosts do not hold the copies that are `going` (host -> digests); returns who may hold them still, and why."""
    asked = [host for host in going if host in names]
    answers = fleet.each(asked, lambda host: host_copies.drop(host, going[host.name])) if asked else {}
    done, failures = parted(answers)
    for host in done:
        escrow.holders.remove(host, going[host])
    return {host: str(failures.get(host, "it is not in the inventory")) for host in going if host not in done}


def _absent(escrow: Escrow, files: Collection[PackageFile]) -> list[Kept]:
    """What is kept of `files`, and not here."""
    return [kept for file in files if (kept := escrow.find(file)) and kept.digest not in escrow.store]


def _send(host: Host, through: Escrow, sent: Mapping[str, Collection[Kept]]) -> bool:
    mine = sent[host.name]
    host_copies.take(host, {}, sum(kept.size for kept in mine))
    for kept in mine:
        with through.store.open(kept.digest) as source:
            host_copies.receive(host, source, kept.digest)
    through.holders.add(host.name, {kept.digest for kept in mine})
    return True


def _errands(copies: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """From which host which digest is taken."""
    return errands({host: dict.fromkeys(held, 0) for host, held in copies.items()}, set().union(*copies.values()))


def _told(fleet: Fleet, asked: Mapping[str, object], question: Callable[[Host], T]) -> dict[str, T]:
    """What the hosts in `asked` answer, but for those that fail: they are asked again, and told of, where they are needed."""
    answers = fleet.each(tuple(asked), question) if asked else {}
    return {name: answer for name, answer in parted(answers)[0].items() if answer}


def parted(answers: Mapping[str, T | Exception]) -> tuple[dict[str, T], dict[str, Failure]]:
    """What hosts answered, and what others failed in. Raises what is no `Failure`."""
    results: dict[str, T] = {}
    failures: dict[str, Failure] = {}
    for name, answer in answers.items():
        if isinstance(answer, Failure):
            failures[name] = answer
        elif isinstance(answer, Exception):
            raise answer
        else:
            results[name] = answer
    return results, failures

"""Catalogs: the candidates for each host of a fleet. Each host is asked once; an index that is not on the shelf is fetched once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter

from nornir_upgrade.core.errands import errands
from nornir_upgrade.core.errors import CommandFailed
from nornir_upgrade.core.transport.host import Fleet, Host
from nornir_upgrade.runner.session import ask_all
from rollback.packaging.candidate import Catalog, catalog
from rollback.packaging.protection import DnfConf
from rollback.packaging.registry import judgement_of

from .host_query import Wanted, ask, fetch
from .indexes import Reader, Shelf
from .reply import Index, Reply

_PRIMARY: Callable[[Index], str] = attrgetter("digest")
_LISTS: Callable[[Index], str] = attrgetter("lists")


def stock(fleet: Fleet, wanted: Mapping[str, Wanted], shelf: Shelf) -> dict[str, Catalog]:
    """The catalog of every host in `wanted`. Nothing of the hosts changes. Raises as `ask_all`, and as `ask` and `fetch`."""
    have = shelf.digests

    def question(host: Host) -> tuple[Wanted, Reply]:
        mine = wanted[host.name]
        try:
            return mine, ask(host, mine, have)
        except CommandFailed:
            if not mine.escrowed or mine == mine.without_sources:
                raise
            return mine.without_sources, ask(host, mine.without_sources, have)

    asked = ask_all(fleet, tuple(wanted), question)
    wanted = {host: mine for host, (mine, _) in asked.items()}
    replies = {host: reply for host, (_, reply) in asked.items()}
    shelf.put({digest: data for reply in replies.values() for digest, data in reply.files.items()})
    _bring(fleet, wanted, shelf, replies, _PRIMARY)
    reader = Reader(shelf, frozenset().union(*(one.names for one in wanted.values())))
    if paths := _unlisted(reader, replies):
        _bring(fleet, wanted, shelf, replies, _LISTS)
        reader.complete(_with_lists(replies), paths)
    return _catalogs(replies, wanted, reader)


def _bring(
    fleet: Fleet,
    wanted: Mapping[str, Wanted],
    shelf: Shelf,
    replies: Mapping[str, Reply],
    part: Callable[[Index], str],
) -> None:
    """Fetch that part of every index that is not on the shelf."""
    asked = _errands(replies, shelf.digests, part)
    fetched = ask_all(fleet, tuple(asked), lambda host: fetch(host, wanted[host.name], asked[host.name]))
    for files in fetched.values():
        shelf.put(files)


def _errands(replies: Mapping[str, Reply], have: Iterable[str], part: Callable[[Index], str]) -> dict[str, list[str]]:
    """Host -> files to fetch from it. The hosts are few, those with most files first, because each one refreshes its indexes."""
    there = {host: {part(index) for index in reply.indexes} - {""} for host, reply in replies.items()}
    able = {host: dict.fromkeys(files, -len(files)) for host, files in there.items()}
    return errands(able, set().union(*there.values()) - set(have), spread=False)


def _unlisted(reader: Reader, replies: Mapping[str, Reply]) -> frozenset[str]:
    """The paths that only lists of files contain."""
    hosts: dict[str, list[Reply]] = {}
    for reply in replies.values():
        for family in {index.family for index in reply.indexes}:
            hosts.setdefault(family, []).append(reply)
    return frozenset().union(*(_unlisted_of(family, reader, some) for family, some in sorted(hosts.items())))


def _unlisted_of(family: str, reader: Reader, replies: Sequence[Reply]) -> frozenset[str]:
    lists = judgement_of(family).file_lists
    if lists is None:
        return frozenset()
    indexes = {index.digest: index for reply in replies for index in reply.indexes}
    offered = (candidate.control for index in indexes.values() for candidate in reader.candidates(index))
    return lists.unlisted({*offered, *(control for reply in replies for control in reply.present.values())})


def _with_lists(replies: Mapping[str, Reply]) -> tuple[Index, ...]:
    """Each index that has a list of files, once."""
    return tuple({index.digest: index for reply in replies.values() for index in reply.indexes if index.lists}.values())


def _catalogs(replies: Mapping[str, Reply], wanted: Mapping[str, Wanted], reader: Reader) -> dict[str, Catalog]:
    """The catalog of each host. Hosts with the same indexes share candidates; those with the same packages too share the catalog."""
    alike: dict[tuple[tuple[Index, ...], frozenset[str], DnfConf], list[Catalog]] = {}
    catalogs = {}
    for host, reply in replies.items():
        names = wanted[host].names
        known = alike.setdefault((reply.indexes, names, reply.dnf), [])
        if not known:
            known.append(_offered(reader, reply, names))
        equal = next((earlier for earlier in known if earlier.present == reply.present), None)
        catalogs[host] = equal or Catalog(known[0].candidates, reply.present, reply.dnf)
        known += [] if equal else [catalogs[host]]
    return catalogs


def _offered(reader: Reader, reply: Reply, names: Iterable[str]) -> Catalog:
    each = [reader.offered(index) for index in reply.indexes]
    ordered = sorted(names)
    return catalog(
        (candidate for index in each for name in ordered for candidate in index.get(name, ())), reply.present, reply.dnf
    )

"""What every host of a fleet could have. Each host is asked once; an index that is not on the shelf is fetched from one that has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nornir_upgrade.controller import ask_all
from nornir_upgrade.core.engine import Fleet

from .answer import Answer, Index
from .catalog import Catalog, catalog
from .enquiry import Sources, ask, fetch
from .shelf import Reader, Shelf


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a host is asked for: packages by name, and which source files are not to count as they are."""

    sources: Sources
    names: frozenset[str]


def stock(fleet: Fleet, wanted: Mapping[str, Wanted], shelf: Shelf) -> dict[str, Catalog]:
    """The catalog of every host in `wanted`. Nothing of the hosts changes. Raises as `ask_all`, and as `ask` and `fetch`."""
    have = shelf.digests
    answers = ask_all(fleet, tuple(wanted), lambda host: ask(host, wanted[host.name].sources, have))
    shelf.put({digest: data for answer in answers.values() for digest, data in answer.files.items()})
    errands = _errands(answers, shelf.digests)
    fetched = ask_all(fleet, tuple(errands), lambda host: fetch(host, wanted[host.name].sources, errands[host.name]))
    for files in fetched.values():
        shelf.put(files)
    reader = Reader(shelf, frozenset().union(*(one.names for one in wanted.values())))
    return _catalogs(answers, wanted, reader)


def _errands(answers: Mapping[str, Answer], have: Iterable[str]) -> dict[str, set[str]]:
    """From which host which index is fetched: the one that has most of them first."""
    missing = {index.digest for answer in answers.values() for index in answer.indexes} - set(have)
    found: dict[str, set[str]] = {}
    for host in sorted(answers, key=lambda one: -len({index.digest for index in answers[one].indexes})):
        if due := missing & {index.digest for index in answers[host].indexes}:
            found[host] = due
            missing -= due
    return found


def _catalogs(answers: Mapping[str, Answer], wanted: Mapping[str, Wanted], reader: Reader) -> dict[str, Catalog]:
    """Hosts that could have the same share their candidates, and those that have the same packages all of it."""
    alike: dict[tuple[tuple[Index, ...], frozenset[str]], list[Catalog]] = {}
    found = {}
    for host, answer in answers.items():
        names = wanted[host].names
        known = alike.setdefault((answer.indexes, names), [])
        if not known:
            known.append(_offered(reader, answer, names))
        same = next((one for one in known if one.present == answer.present), None)
        found[host] = same or Catalog(known[0].candidates, answer.present)
        known += [] if same else [found[host]]
    return found


def _offered(reader: Reader, answer: Answer, names: Iterable[str]) -> Catalog:
    each = [reader.offered(index) for index in answer.indexes]
    ordered = sorted(names)
    return catalog((one for index in each for name in ordered for one in index.get(name, ())), answer.present)

"""Files made of records that packages and administrators add to: accounts, answers, overrides. Pure.

Of such a file what one added can come and go while what another added stays.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping

from .places import Records

_SPLIT: Mapping[Records, bytes] = {"colon": b"\n", "path": b"\n", "stanza": b"\n\n"}


def records(data: bytes, kind: Records) -> dict[bytes, bytes]:
    """The records of a file by their names, in order, without what ends each."""
    parts = (part.strip(b"\n") for part in data.split(_SPLIT[kind]))
    return {_NAMES[kind](part): part for part in parts if part.strip()}


def joined(found: Iterable[bytes], kind: Records) -> bytes:
    """The file that these records make."""
    end = b"\n\n" if kind == "stanza" else b"\n"
    return b"".join(part + end for part in found)


def added(now: bytes, then: bytes, kind: Records) -> bytes:
    """`now` with every record of `then`: those that are not there are added, and answers (stanzas) are as they were."""
    present, wanted = records(now, kind), records(then, kind)
    if kind == "stanza":
        merged = {**present, **wanted}
    else:
        merged = {**wanted, **present}
        merged = {**present, **{name: merged[name] for name in wanted}}
    return now if merged == present else joined(merged.values(), kind)


def returned(
    then: bytes,
    end: bytes,
    now: bytes,
    kind: Records,
    *,
    keep: Callable[[bytes], bool] = lambda _: False,
    met: bytes | None = None,
) -> bytes:
    """What goes back: `then`, with what others changed since `end`, which the run left. What the run added stays where `keep` says so.

    `met` is what the way back found before its own scripts wrote to the file (`None`: they did not): what differs only from that,
    no others changed. What went since with its package stays away.
    """
    before, left, present = records(then, kind), records(end, kind), records(now, kind)
    seen = present if met is None else records(met, kind)
    found = {}
    for name, record in before.items():
        if seen.get(name) == left.get(name):
            found[name] = record
        elif name in seen and name in present:
            found[name] = seen[name]
    others = seen.keys() - left.keys()
    found |= {
        name: seen.get(name, record)
        for name, record in present.items()
        if name not in before and (name in others or keep(record))
    }
    return then if found == before else joined(found.values(), kind)


def told_of(record: bytes, kind: Records, names: Collection[str]) -> bool:
    """Whether a record is of one of these packages, or of their users: an account is called so, an answer says its owners, a path and
    who has it are made of words.
    """
    if kind == "colon":
        return _of_colon(record).decode("utf-8", "replace") in names
    lines = [line for line in record.split(b"\n") if kind != "stanza" or line.startswith((b"Name:", b"Owners:"))]
    text = b"\n".join(lines).decode("utf-8", "replace")
    return any(re.search(rf"(?<![a-zA-Z0-9]){re.escape(name)}(?![a-zA-Z0-9])", text) for name in names)


def _of_colon(record: bytes) -> bytes:
    return record.partition(b":")[0]


def _of_path(record: bytes) -> bytes:
    head, slash, path = record.partition(b" /")
    return slash[1:] + path if slash else head


def _of_stanza(record: bytes) -> bytes:
    return record.partition(b"\n")[0]


_NAMES: Mapping[Records, Callable[[bytes], bytes]] = {
    "colon": _of_colon,
    "path": _of_path,
    "stanza": _of_stanza,
}

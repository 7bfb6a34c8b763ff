"""Records: files to which packages and administrators add records: accounts, answers, overrides. Pure.

The records that one added can be restored or removed, while the records of another stay.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping

from .places import Records

_SPLIT: Mapping[Records, bytes] = {"colon": b"\n", "path": b"\n", "stanza": b"\n\n"}


def records(data: bytes, kind: Records) -> dict[bytes, bytes]:
    """Name -> record of a file, in order. A record does not include its line end."""
    parts = (part.strip(b"\n") for part in data.split(_SPLIT[kind]))
    return {_NAMES[kind](part): part for part in parts if part.strip()}


def joined(parts: Iterable[bytes], kind: Records) -> bytes:
    """The text of a file with these records."""
    end = b"\n\n" if kind == "stanza" else b"\n"
    return b"".join(part + end for part in parts)


def added(now: bytes, then: bytes, kind: Records) -> bytes:
    """`now` with every record of `then`. Missing records are added. Answers (stanzas) are replaced by those of `then`."""
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
    """The text to restore: `then`, with the changes that others made since `end`, the text that the run left.

    Records that the run added stay if `keep` returns true for them. `met`: the text before scripts of the way back wrote to the file
    (`None`: they did not); a difference from `met` is not a change of others. Records removed since with their package stay removed.
    """
    before, left, present = records(then, kind), records(end, kind), records(now, kind)
    seen = present if met is None else records(met, kind)
    merged = {}
    for name, record in before.items():
        if seen.get(name) == left.get(name):
            merged[name] = record
        elif name in seen and name in present:
            merged[name] = seen[name]
    others = seen.keys() - left.keys()
    merged |= {
        name: seen.get(name, record)
        for name, record in present.items()
        if name not in before and (name in others or keep(record))
    }
    return then if merged == before else joined(merged.values(), kind)


def told_of(record: bytes, kind: Records, names: Collection[str]) -> bool:
    """Whether a record belongs to one of these packages or users: by the name of an account, or by a word in another record.

    Of an answer (stanza), only its name and its owners count.
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

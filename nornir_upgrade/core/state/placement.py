"""Placement: files, directories and links of a host, put back as they were captured."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host

from .places import KEPT, place_of

# dpkg reads accounts by way of the overrides of owners: overrides first, accounts last.
_ORDER = {"statoverrides": 0, "accounts": 2}
_NOTHING: Mapping[str, tuple[bytes, bytes]] = MappingProxyType({})


def restore_exactly(
    wanted: dict[str, FileState],
    present: dict[str, FileState],
    host: Host,
    store: Store,
    merged: Mapping[str, tuple[bytes, bytes]] = _NOTHING,
) -> None:
    """Afterwards every path in `present` or `wanted` is as `wanted` has it; a path that `wanted` lacks is gone.

    `merged` holds, by path, the present text and the text to write: these files get that text, not the captured one.
    """
    there = dict(present)
    for path in sorted(there, reverse=True):  # the contents of a directory are removed before it
        if path not in wanted or wanted[path].kind != there[path].kind:
            host.place(FileState(path, "absent"))
            del there[path]
    for path in sorted(wanted, key=lambda path: (_ORDER.get(_area(path), 1), path)):
        if path in merged:
            now, data = merged[path]
            write_file(host, wanted[path], data, now if path in there else None, there.get(path))
        elif wanted[path] != there.get(path):
            restore_entry(wanted[path], host, store)


def _area(path: str) -> str:
    place = place_of(path)
    return place.area if place else ""


def restore_entry(wanted: FileState, host: Host, store: Store) -> None:
    """Afterwards the path is as `wanted`. The directory of a known place is made anew where its package removed it."""
    above = wanted.path.rpartition("/")[0]
    if any(place.path == wanted.path for place in KEPT) and above and host.stat((above,))[0].kind == "absent":
        host.run(("install", "-d", "-m", "0755", "--", above))
    _restore(wanted, host, store)


def _restore(wanted: FileState, host: Host, store: Store) -> None:
    if wanted.kind == "file":
        write_file(host, wanted, store.get(wanted.digest))
    elif wanted.kind == "directory" and wanted.xattrs:
        host.place(replace(wanted, xattrs=()))
        host.put(wanted, b"")
    else:
        host.place(wanted)


def write_file(
    host: Host, state: FileState, data: bytes, now: bytes | None = None, present: FileState | None = None
) -> None:
    """Afterwards the file holds `data`, with mode, owner and extended attributes of `state`. Writes nothing if it does already.

    `now` and `present` are its present text and state, where they are known.
    """
    if data == now and (present is None or _without_digest(present) == _without_digest(state)):
        return
    if state.xattrs:
        host.put(state, data)
    else:
        host.write(state.path, data, mode=state.mode, owner=state.owner, group=state.group)


def _without_digest(state: FileState) -> FileState:
    return replace(state, digest="")

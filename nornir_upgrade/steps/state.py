"""State: what maintainer scripts change beside their packages' files, captured as a whole and put back in two parts.

*Ahead* of the packages comes what their scripts need: accounts and answers are added back, none is taken away, and a conffile that
only the newer package has goes, or dpkg keeps it in mind as one that somebody removed. The *whole* comes after them, when nobody
needs any more what goes with it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput, StateDiffers
from nornir_upgrade.core.packaging.registry import family_of, settle
from nornir_upgrade.core.state import reload
from nornir_upgrade.core.state.entries import area_of
from nornir_upgrade.core.state.harmless import why_explained
from nornir_upgrade.core.state.places import AT_ONCE, BOUND, KEPT, KeptPlace, Records, left, place_of, records_of, roots
from nornir_upgrade.core.state.records import added, returned, told_of
from nornir_upgrade.core.step import Step, absolute
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host
from nornir_upgrade.core.transport.odd_names import is_odd, shown

_TRIES = 3
_ROOTS = roots(restored=True)
Part = Literal["ahead", "whole", "end"]


@dataclass(frozen=True, slots=True)
class CaptureState(Step, kind="capture_state"):
    """All that is restored of a host beside its packages is in the store, with what stands at and below `configuration`.

    At the `end` of a run only what is needed to tell later what the run made from what others did since.
    """

    name: str
    configuration: tuple[str, ...] = ()
    family: str = "deb"
    end: bool = False
    manager: str = ""
    kind: Literal["capture_state"] = "capture_state"

    def __post_init__(self) -> None:
        settle(self)

    def observe(self, host: Host, store: Store) -> Step:
        entries = _captured(host, store, self.configuration, self.end)
        return RestoreState(entries, self.configuration, "end" if self.end else "whole", manager=self.manager)

    def apply(self, host: Host, store: Store) -> None:
        """Nothing: the capture was made when it was observed."""

    def describe(self) -> str:
        if self.end:
            return "note the state that the run leaves"
        return f"capture {', '.join(dict.fromkeys(('/etc', *_outside(self.configuration))))}, accounts and registries"

    @property
    def capture(self) -> str:
        return "" if self.end else self.name


@dataclass(frozen=True, slots=True)
class RestoreState(Step, kind="restore_state"):
    """A host is as `entries` say, in all that is restored beside packages, and at and below `configuration`.

    `part` says how much of it. `only` names the paths that are touched (one that ends with `/`: all at and below it), `None` is
    all; nothing at and below `spared` is. `since` are the files of records as the runs left them: what others changed in these
    since stays. `keep` leaves there all that the runs added to them, `keeps` what is of these packages and users. `before` names the
    capture of what the way back met, `met` are its files of records, `seen` all of it: what differs from these, scripts of the
    way back wrote. `fresh` are conffiles of a package that were none of it when the state was captured: they stand aside while it
    goes back.
    """

    entries: tuple[FileState, ...]
    configuration: tuple[str, ...] = ()
    part: Part = "whole"
    family: str = "deb"
    only: tuple[str, ...] | None = None
    spared: tuple[str, ...] = ()
    since: tuple[FileState, ...] = ()
    keep: bool = False
    keeps: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    before: str = ""
    met: tuple[FileState, ...] = ()
    seen: tuple[FileState, ...] = ()
    manager: str = ""
    kind: Literal["restore_state"] = "restore_state"

    def __post_init__(self) -> None:
        settle(self)

    @property
    def kept(self) -> tuple[FileState, ...]:
        """The files of which the bytes are in the store."""
        held = (one for one in self.entries if one.digest and not left_alone(one))
        return tuple(one for one in held if self.part != "end" or records_of(one.path))

    @property
    def roots(self) -> tuple[str, ...]:
        """Everything that it may touch is at or below these."""
        return (*_ROOTS, *_outside(self.configuration))

    def reverts(self, now: FileState) -> bool:
        """Whether what stands at a path as `now` will not: it was captured otherwise, or was not there. Records others added stay."""
        if now.path in _alone((now, *self.entries)):
            return False
        merged = records_of(now.path) and (self._adds or any(one.path == now.path for one in self.since))
        return not merged and self._touches(now.path) and now not in self.entries

    @property
    def ahead(self) -> Step:
        return replace(self, part="ahead") if self.part == "whole" else self

    def knowing(self, captures: Mapping[str, Step]) -> Step:
        found = captures.get(self.before) if self.before else None
        if not isinstance(found, RestoreState):
            return self
        met = tuple(one for one in found.entries if one.digest and records_of(one.path))
        return replace(self, met=met, seen=found.entries)

    def observe(self, host: Host, store: Store) -> Step:
        entries = _captured(host, store, self.configuration, self.part == "end")
        return RestoreState(entries, self.configuration, "end" if self.part == "end" else "whole", manager=self.manager)

    def apply(self, host: Host, store: Store) -> None:
        if self.part == "end":
            return
        if self.part == "whole":
            family_of(self.manager).configuration.finish(host)
        found = surveyed(host, self.configuration)
        alone = _alone((*found, *self.entries))
        present = {one.path: one for one in found if one.path not in alone}
        aside = {one.path for one in self.seen if one.path in self.fresh and one.path not in present}
        touched = (one for one in self.entries if one.path not in alone)
        wanted = {one.path: one for one in touched if one.path in aside or self._touches(one.path)}
        if self.part == "ahead":
            self._ahead(wanted, present, host, store)
        else:
            self._whole(wanted, present, host, store)
            reload.reload(host)

    def _ahead(self, wanted: dict[str, FileState], present: dict[str, FileState], host: Host, store: Store) -> None:
        for place in (one for one in KEPT if one.records and one.restored):
            if place.path in wanted and place.path not in present:
                _into_place(wanted[place.path], host, store)
            elif place.path in wanted:
                now, then = host.read(place.path), store.get(wanted[place.path].digest)
                _write(host, present[place.path], added(now, then, place.records), now)
        for path in family_of(self.manager).configuration.conffiles(host):
            if path in present and (self._stands_aside(present[path]) or (path not in wanted and self._touches(path))):
                host.place(FileState(path, "absent"))
        own = _below(_outside(self.configuration))
        _exact({p: s for p, s in wanted.items() if own(p)}, {p: s for p, s in present.items() if own(p)}, host, store)

    def _whole(self, wanted: dict[str, FileState], present: dict[str, FileState], host: Host, store: Store) -> None:
        touched = [place for place in KEPT if place.records and self._touches(place.path)]
        merging = {place.path: place for place in touched if self._merges(place, present)}
        merged = {p: self._merged(place, wanted, host, store) for p, place in merging.items() if p in wanted}
        wanted |= self._kept_from_scripts(store)
        made = self._made(present)
        there = {
            p: one
            for p, one in present.items()
            if p in merged or (p not in merging and (p in made or p in wanted or self._touches(p)))
        }
        _exact({p: one for p, one in wanted.items() if p in merged or p not in merging}, there, host, store, merged)

    def _kept_from_scripts(self, store: Store) -> dict[str, FileState]:
        """What was captured, and the way back does not touch, is as it was when that began, whatever its scripts wrote. Not where
        packages stay or only some go back: there the scripts' doing may be meant.
        """
        spared, alone = _below(self.spared), _alone((*self.seen, *self.entries))
        captured = {one.path for one in self.entries if one.path not in alone}
        found = () if self.keep else (one for one in self.seen if one.path in captured and not self._touches(one.path))
        return {
            one.path: one
            for one in found
            if _counts(one.path) and not spared(one.path) and (not one.digest or one.digest in store)
        }

    def _merged(
        self, place: KeptPlace, wanted: Mapping[str, FileState], host: Host, store: Store
    ) -> tuple[bytes, bytes]:
        """What a file of records holds, and what it will."""
        ends, met = ({one.path: one.digest for one in some} for some in (self.since, self.met))
        now, then = host.read(place.path), store.get(wanted[place.path].digest)
        end = store.get(ends[place.path]) if place.path in ends else now
        seen = store.get(met[place.path]) if place.path in met else None
        keep = partial(self._stays, place.records)
        return now, returned(then, end, now, place.records, keep=keep, met=seen)

    def _stands_aside(self, one: FileState) -> bool:
        """A conffile of a package that was none of it, and that others did not edit. dpkg goes on listing it as one of the package,
        obsolete, where it finds it there.
        """
        return one.path in self.fresh and (one in self.entries or self._touches(one.path))

    def _made(self, present: Iterable[str]) -> set[str]:
        """What scripts of the way back made: it was neither there when the way back began, nor when the state was captured."""
        known = {one.path for one in (*self.seen, *self.entries)}
        spared = _below(self.spared)
        return {path for path in present if self.seen and path not in known and _counts(path) and not spared(path)}

    def _merges(self, place: KeptPlace, present: dict[str, FileState]) -> bool:
        """Whether something in the file stays that was not there: what others added since, or the runs, where that is kept."""
        ends, met = ({one.path: one.digest for one in some} for some in (self.since, self.met))
        if place.path not in present or not (self._adds or place.path in ends):
            return False
        return self._adds or ends[place.path] != met.get(place.path, present[place.path].digest)

    @property
    def _adds(self) -> bool:
        """Whether something may stay of what the runs added to files of records."""
        return self.keep or bool(self.keeps)

    def _stays(self, kind: Records, record: bytes) -> bool:
        return self.keep or told_of(record, kind, self.keeps)

    def _touches(self, path: str) -> bool:
        if _below(self.spared)(path) or not _counts(path):
            return False
        if self.only is None or path in self.only:
            return True
        return any(path.startswith(tree) or f"{path}/" == tree for tree in self.only if tree.endswith("/"))

    def describe(self) -> str:
        if self.part == "end":
            return "leave what others did since"
        if self.part == "ahead":
            return "add accounts and answers back, take newer conffiles away"
        return f"restore {', '.join(dict.fromkeys(('/etc', *_outside(self.configuration))))}, accounts and registries"


def surveyed(host: Host, configuration: Sequence[str] = ()) -> tuple[FileState, ...]:
    """All that is restored of `host` beside its packages, as it is now, and what is `left_alone` among it."""
    for root in configuration:
        if not absolute(root):
            raise InvalidInput(f"{root!r} is no absolute path without '..'")
    outside = _outside(configuration)
    own = _below(outside)
    return tuple(shown(one) for one in host.survey((*_ROOTS, *outside)) if own(one.path) or _counts(one.path))


def left_alone(one: FileState) -> bool:
    """Whether it is noted, and neither captured nor restored nor taken away: its name is no UTF-8, or it is too large."""
    return is_odd(one) or (one.kind == "file" and one.size > AT_ONCE)


def _alone(states: Iterable[FileState]) -> frozenset[str]:
    """The paths at which something is `left_alone`, or was."""
    return frozenset(one.path for one in states if left_alone(one))


def _counts(path: str) -> bool:
    return not left(path) and not why_explained(area_of(path), path)


def _captured(host: Host, store: Store, configuration: Sequence[str], end: bool) -> tuple[FileState, ...]:
    """What stands there, with the bytes in the store: at the `end` of a run those of records. Looked at again where a file changes
    while it is read. Raises `StateDiffers` where one changes each time.
    """
    for patience in reversed(range(_TRIES)):
        entries = surveyed(host, configuration)
        try:
            _keep(host, store, [one for one in entries if not end or records_of(one.path)])
        except StateDiffers:
            if not patience:
                raise
        else:
            break
    return entries


def _keep(host: Host, store: Store, entries: Iterable[FileState]) -> None:
    """Afterwards the bytes of these files are in the store, but for what is `left_alone`. Raises `InvalidInput` where they are too
    many, or where records, of accounts or the like, are too large.
    """
    files = [one for one in entries if one.kind == "file" and (records_of(one.path) or not left_alone(one))]
    if (total := sum(one.size for one in files)) > BOUND or any(one.size > AT_ONCE for one in files):
        largest = ", ".join(
            f"{one.path} ({one.size >> 20} MiB)" for one in sorted(files, key=lambda one: -one.size)[:3]
        )
        raise InvalidInput(
            f"{host.name}: the state beside packages has {total >> 20} MiB, too much to capture; the largest are {largest}; "
            f"at most {BOUND >> 20} MiB are, and {AT_ONCE >> 20} MiB of a list of accounts or the like: move data out of there",
            hint="then go on",
        )
    missing = {one.digest: one for one in files if one.digest not in store}
    for some in _portions(missing.values()):
        for data in host.read_many([one.path for one in some]).values():
            store.put(data)
    if lost := [one.path for one in missing.values() if one.digest not in store]:
        raise StateDiffers(
            f"{host.name}: {', '.join(lost)} changed while being captured", hint="see who writes it, then resume"
        )


def _portions(files: Iterable[FileState]) -> Iterator[list[FileState]]:
    some: list[FileState] = []
    for one in files:
        if some and sum(other.size for other in some) + one.size > AT_ONCE:
            yield some
            some = []
        some.append(one)
    if some:
        yield some


def _exact(
    wanted: dict[str, FileState],
    present: dict[str, FileState],
    host: Host,
    store: Store,
    merged: Mapping[str, tuple[bytes, bytes]] = MappingProxyType({}),
) -> None:
    """Afterwards what is `present` is as `wanted`; what is `merged` holds the second text in place of the first. Overrides of owners go
    first, and accounts last: dpkg reads the one by the other.
    """
    there = dict(present)
    for path in sorted(there, reverse=True):  # what is below a directory goes before it
        if path not in wanted or wanted[path].kind != there[path].kind:
            host.place(FileState(path, "absent"))
            del there[path]
    for path in sorted(wanted, key=lambda path: (_LAST.get(_area(path), 1), path)):
        if path in merged:
            now, data = merged[path]
            _write(host, wanted[path], data, now if path in there else None, there.get(path))
        elif wanted[path] != there.get(path):
            _into_place(wanted[path], host, store)


_LAST = {"statoverrides": 0, "accounts": 2}


def _area(path: str) -> str:
    place = place_of(path)
    return place.area if place else ""


def _into_place(wanted: FileState, host: Host, store: Store) -> None:
    """A place's own directory may have gone with the package that made it."""
    above = wanted.path.rpartition("/")[0]
    if any(one.path == wanted.path for one in KEPT) and above and host.stat((above,))[0].kind == "absent":
        host.run(("install", "-d", "-m", "0755", "--", above))
    _make(wanted, host, store)


def _make(wanted: FileState, host: Host, store: Store) -> None:
    if wanted.kind == "file":
        _write(host, wanted, store.get(wanted.digest))
    elif wanted.kind == "directory" and wanted.xattrs:
        host.place(replace(wanted, xattrs=()))
        host.put(wanted, b"")
    else:
        host.place(wanted)


def _write(
    host: Host, state: FileState, data: bytes, now: bytes | None = None, present: FileState | None = None
) -> None:
    """Put `data` at a path with the mode, owner and extended attributes of `state`; nothing where it is there already."""
    if data == now and (present is None or _bare(present) == _bare(state)):
        return
    if state.xattrs:
        host.put(state, data)
    else:
        host.write(state.path, data, mode=state.mode, owner=state.owner, group=state.group)


def _bare(state: FileState) -> FileState:
    return replace(state, digest="")


def _outside(configuration: Iterable[str]) -> tuple[str, ...]:
    """Those of `configuration` that lie in no place that is captured anyway."""
    return tuple(root for root in configuration if not _below(_ROOTS)(root))


class _below:
    """Whether a path is one of some roots, or below one."""

    def __init__(self, trees: Iterable[str]) -> None:
        self.trees = tuple(tree.rstrip("/") for tree in trees)

    def __call__(self, path: str) -> bool:
        return any(path == tree or path.startswith(f"{tree}/") for tree in self.trees)

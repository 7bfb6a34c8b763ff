"""State: what maintainer scripts change beside the files of their packages, captured as a whole and restored in two parts.

The part *ahead* precedes the packages and prepares for their scripts. Accounts and answers are added back; none is removed.
Conffiles that only the newer package has are removed: dpkg would otherwise remember them as deleted by somebody.
The *whole* follows the packages, once no script needs what it removes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from nornir_upgrade.core.packaging.registry import family_of, settle
from nornir_upgrade.core.state import reload
from nornir_upgrade.core.state.capture import (
    ROOTS,
    below,
    capture_state,
    is_restored,
    left_alone,
    outside,
    paths_left_alone,
    surveyed,
)
from nornir_upgrade.core.state.placement import restore_entry, restore_exactly, write_file
from nornir_upgrade.core.state.places import KEPT, KeptPlace, Records, records_of
from nornir_upgrade.core.state.records import added, returned, told_of
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host

Part = Literal["ahead", "whole", "end"]


@dataclass(frozen=True, slots=True)
class CaptureState(Step, kind="capture_state"):
    """The store holds everything that is restored beside packages, and everything at and below `configuration`.

    At the `end` of a run it holds only files of records: they tell later which records the run added and which others did.
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
        entries = capture_state(host, store, self.configuration, self.end)
        return RestoreState(entries, self.configuration, "end" if self.end else "whole", manager=self.manager)

    def apply(self, host: Host, store: Store) -> None:
        """Does nothing: `observe` made the capture."""

    def describe(self) -> str:
        if self.end:
            return "note the state that the run leaves"
        return f"capture {_places(self.configuration)}, accounts and registries"

    @property
    def capture(self) -> str:
        return "" if self.end else self.name


@dataclass(frozen=True, slots=True)
class RestoreState(Step, kind="restore_state"):
    """A host is as `entries` say: in everything that is restored beside packages, and at and below `configuration`.

    - `part`: how much of it is restored; `end` restores nothing.
    - `only`: the paths to touch; one that ends with `/` includes everything below it; `None` is all paths.
    - `spared`: paths that are not touched, with everything below them.
    - `since`: the files of records as the runs left them. Records that others changed since then stay.
    - `keep`: all records that the runs added stay. `keeps`: those of these packages and users stay.
    - `fresh`: conffiles that no package had when the state was captured. They are removed while their package is restored.
    - `before`: the name of the capture that the way back made at its start; `seen`: that capture; `met`: its files of records.
      What differs from it was written by scripts of the way back.
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
        """The files whose bytes are in the store."""
        files = (entry for entry in self.entries if entry.digest and not left_alone(entry))
        return tuple(file for file in files if self.part != "end" or records_of(file.path))

    @property
    def roots(self) -> tuple[str, ...]:
        """The step touches nothing that is not at or below one of these."""
        return (*ROOTS, *outside(self.configuration))

    def reverts(self, now: FileState) -> bool:
        """Whether the restore changes the path that is `now` like this. Files of records into which others' records are merged do
        not count.
        """
        if now.path in paths_left_alone((now, *self.entries)):
            return False
        merged = records_of(now.path) and (self._keeps_records or any(file.path == now.path for file in self.since))
        return not merged and self._touches(now.path) and now not in self.entries

    @property
    def ahead(self) -> Step:
        return replace(self, part="ahead") if self.part == "whole" else self

    def knowing(self, captures: Mapping[str, Step]) -> Step:
        capture = captures.get(self.before) if self.before else None
        if not isinstance(capture, RestoreState):
            return self
        met = tuple(entry for entry in capture.entries if entry.digest and records_of(entry.path))
        return replace(self, met=met, seen=capture.entries)

    def observe(self, host: Host, store: Store) -> Step:
        entries = capture_state(host, store, self.configuration, self.part == "end")
        return RestoreState(entries, self.configuration, "end" if self.part == "end" else "whole", manager=self.manager)

    def apply(self, host: Host, store: Store) -> None:
        if self.part == "end":
            return
        if self.part == "whole":
            family_of(self.manager).configuration.finish(host)
        states = surveyed(host, self.configuration)
        alone = paths_left_alone((*states, *self.entries))
        present = _by_path(state for state in states if state.path not in alone)
        wanted = self._wanted(present, alone)
        if self.part == "ahead":
            self._apply_ahead(wanted, present, host, store)
        else:
            self._apply_whole(wanted, present, host, store)
            reload.reload(host)

    def _wanted(self, present: Mapping[str, FileState], alone: frozenset[str]) -> dict[str, FileState]:
        """The entries to restore: those that are touched, and fresh conffiles that part *ahead* removed."""
        removed = {entry.path for entry in self.seen if entry.path in self.fresh and entry.path not in present}
        entries = (entry for entry in self.entries if entry.path not in alone)
        return _by_path(entry for entry in entries if entry.path in removed or self._touches(entry.path))

    def _apply_ahead(
        self, wanted: dict[str, FileState], present: dict[str, FileState], host: Host, store: Store
    ) -> None:
        for place in (place for place in KEPT if place.records and place.restored):
            if place.path in wanted and place.path not in present:
                restore_entry(wanted[place.path], host, store)
            elif place.path in wanted:
                now, then = host.read(place.path), store.get(wanted[place.path].digest)
                write_file(host, present[place.path], added(now, then, place.records), now)
        for path in family_of(self.manager).configuration.conffiles(host):
            if path in present and (self._stands_aside(present[path]) or (path not in wanted and self._touches(path))):
                host.place(FileState(path, "absent"))
        configured = below(outside(self.configuration))
        restore_exactly(
            {path: entry for path, entry in wanted.items() if configured(path)},
            {path: state for path, state in present.items() if configured(path)},
            host,
            store,
        )

    def _apply_whole(
        self, wanted: dict[str, FileState], present: dict[str, FileState], host: Host, store: Store
    ) -> None:
        places = [place for place in KEPT if place.records and self._touches(place.path)]
        merging = {place.path: place for place in places if self._merges(place, present)}
        merged = {path: self._merged(place, wanted, host, store) for path, place in merging.items() if path in wanted}
        wanted |= self._overwritten_by_scripts(store)
        made = self._made_by_scripts(present)
        touched = {
            path: state
            for path, state in present.items()
            if path in merged or (path not in merging and (path in made or path in wanted or self._touches(path)))
        }
        exact = {path: entry for path, entry in wanted.items() if path in merged or path not in merging}
        restore_exactly(exact, touched, host, store, merged)

    def _overwritten_by_scripts(self, store: Store) -> dict[str, FileState]:
        """Captured paths that the restore does not touch, as they were when the way back began: its scripts may have written there.

        None of them where packages stay or only some packages are restored: there a script's change may be meant.
        """
        if self.keep:
            return {}
        spared, alone = below(self.spared), paths_left_alone((*self.seen, *self.entries))
        captured = {entry.path for entry in self.entries if entry.path not in alone}
        untouched = (entry for entry in self.seen if entry.path in captured and not self._touches(entry.path))
        return _by_path(
            entry
            for entry in untouched
            if is_restored(entry.path) and not spared(entry.path) and (not entry.digest or entry.digest in store)
        )

    def _made_by_scripts(self, present: Iterable[str]) -> set[str]:
        """Paths that existed neither when the way back began nor when the state was captured: scripts of the way back made them."""
        known = {entry.path for entry in (*self.seen, *self.entries)}
        spared = below(self.spared)
        return {path for path in present if self.seen and path not in known and is_restored(path) and not spared(path)}

    def _merged(
        self, place: KeptPlace, wanted: Mapping[str, FileState], host: Host, store: Store
    ) -> tuple[bytes, bytes]:
        """The present text of a file of records, and the text to write."""
        ends, met = _digests(self.since), _digests(self.met)
        now, then = host.read(place.path), store.get(wanted[place.path].digest)
        end = store.get(ends[place.path]) if place.path in ends else now
        seen = store.get(met[place.path]) if place.path in met else None
        keep = partial(self._stays, place.records)
        return now, returned(then, end, now, place.records, keep=keep, met=seen)

    def _merges(self, place: KeptPlace, present: dict[str, FileState]) -> bool:
        """Whether records stay in the file that the capture lacks: others added them, or the runs did and they are kept."""
        ends, met = _digests(self.since), _digests(self.met)
        if place.path not in present or not (self._keeps_records or place.path in ends):
            return False
        return self._keeps_records or ends[place.path] != met.get(place.path, present[place.path].digest)

    def _stands_aside(self, state: FileState) -> bool:
        """Whether a fresh conffile is removed while its package is restored: nobody else edited it.

        dpkg would otherwise find it, and list it as an obsolete conffile of the package for good.
        """
        return state.path in self.fresh and (state in self.entries or self._touches(state.path))

    @property
    def _keeps_records(self) -> bool:
        """Whether records that the runs added may stay."""
        return self.keep or bool(self.keeps)

    def _stays(self, kind: Records, record: bytes) -> bool:
        return self.keep or told_of(record, kind, self.keeps)

    def _touches(self, path: str) -> bool:
        if below(self.spared)(path) or not is_restored(path):
            return False
        if self.only is None or path in self.only:
            return True
        return any(path.startswith(tree) or f"{path}/" == tree for tree in self.only if tree.endswith("/"))

    def describe(self) -> str:
        if self.part == "end":
            return "leave what others did since"
        if self.part == "ahead":
            return "add accounts and answers back, take newer conffiles away"
        return f"restore {_places(self.configuration)}, accounts and registries"


def _places(configuration: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(("/etc", *outside(configuration))))


def _by_path(states: Iterable[FileState]) -> dict[str, FileState]:
    return {state.path: state for state in states}


def _digests(files: Iterable[FileState]) -> dict[str, str]:
    return {file.path: file.digest for file in files}

"""Files: capture a tree, and restore it. A restore writes only files that differ."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput, StateDiffers
from nornir_upgrade.core.step import Step, absolute
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host
from nornir_upgrade.core.transport.odd_names import is_odd, shown


@dataclass(frozen=True, slots=True)
class CaptureFiles(Step, kind="capture_files"):
    """The store holds everything at and below `roots`. Nothing changes on the host."""

    roots: tuple[str, ...]
    name: str
    kind: Literal["capture_files"] = "capture_files"

    def observe(self, host: Host, store: Store) -> Step:
        return captured(self.roots, host, store)

    def apply(self, host: Host, store: Store) -> None:
        """Does nothing: `observe` made the capture."""

    def describe(self) -> str:
        return f"capture {', '.join(self.roots)}"

    @property
    def capture(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class RestoreFiles(Step, kind="restore_files"):
    """At and below `roots` there are exactly `entries`: bytes, modes and owners. The store holds the bytes.

    Paths at and below `spare` are left as they are. So are paths whose names are not UTF-8.
    """

    roots: tuple[str, ...]
    entries: tuple[FileState, ...]
    spare: tuple[str, ...] = ()
    kind: Literal["restore_files"] = "restore_files"

    def observe(self, host: Host, store: Store) -> Step:
        return captured(self.roots, host, store)

    def apply(self, host: Host, store: Store) -> None:
        tree = tuple(map(shown, host.tree(_checked(self.roots))))
        odd = {state.path for state in (*tree, *self.entries) if is_odd(state)}
        wanted = {entry.path: entry for entry in self.entries if entry.path not in odd and not self._spares(entry.path)}
        present = {state.path: state for state in tree if state.path not in odd and not self._spares(state.path)}
        for path in sorted(present, reverse=True):  # the contents of a directory are removed before it
            if path not in wanted or wanted[path].kind != present[path].kind:
                host.place(FileState(path, "absent"))
                del present[path]
        for path in sorted(wanted):
            if wanted[path] != present.get(path):
                _make(wanted[path], present.get(path), host, store)

    def describe(self) -> str:
        but = f", but for {', '.join(self.spare)}" if self.spare else ""
        return f"restore {', '.join(self.roots)}{but}"

    def _spares(self, path: str) -> bool:
        return any(path == root or path.startswith(f"{root}/") for root in self.spare)


def captured(roots: tuple[str, ...], host: Host, store: Store) -> RestoreFiles:
    """The step that restores everything at and below `roots` as it is now. The store holds the bytes, except under odd names.

    Raises `StateDiffers` if a file changes meanwhile.
    """
    entries = tuple(map(shown, host.tree(_checked(roots))))
    digests = {entry.path: entry.digest for entry in entries if entry.kind == "file" and not is_odd(entry)}
    missing = [path for path, digest in digests.items() if digest not in store]
    for path, data in host.read_many(missing).items():
        if store.put(data) != digests[path]:
            raise StateDiffers(
                f"{host.name}: {path} changed while being captured", hint="find out who writes it, then resume"
            )
    if vanished := [path for path in missing if digests[path] not in store]:
        raise StateDiffers(f"{host.name}: {', '.join(vanished)} vanished while being captured", hint="resume")
    return RestoreFiles(roots, entries)


def _make(wanted: FileState, present: FileState | None, host: Host, store: Store) -> None:
    if wanted.kind == "file" and (present is None or present.digest != wanted.digest):
        data = store.get(wanted.digest)
        host.write(wanted.path, data, mode=wanted.mode, owner=wanted.owner, group=wanted.group)
    else:
        host.place(wanted)


def _checked(roots: Iterable[str]) -> tuple[str, ...]:
    for root in roots:
        if not absolute(root):
            raise InvalidInput(f"{root!r} is not an absolute path without '..'")
    return tuple(roots)

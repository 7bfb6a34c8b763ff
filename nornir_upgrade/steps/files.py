"""Files: capture a tree, and restore it, touching only what differs."""

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
    """Everything at and below `roots` is in the store, so that it can be restored. Changes nothing on the host."""

    roots: tuple[str, ...]
    name: str
    kind: Literal["capture_files"] = "capture_files"

    def observe(self, host: Host, store: Store) -> Step:
        return captured(self.roots, host, store)

    def apply(self, host: Host, store: Store) -> None:
        """Nothing: the capture was made when it was observed."""

    def describe(self) -> str:
        return f"capture {', '.join(self.roots)}"

    @property
    def capture(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class RestoreFiles(Step, kind="restore_files"):
    """At and below `roots` stand exactly `entries`, byte for byte, with their modes and owners; the bytes are in the store.

    What stands at and below `spare` is left as it is, whatever it is. So is what has a name that is no UTF-8.
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
        wanted = {one.path: one for one in self.entries if one.path not in odd and not self._spares(one.path)}
        present = {one.path: one for one in tree if one.path not in odd and not self._spares(one.path)}
        for path in sorted(present, reverse=True):  # what is below a directory goes before it
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
        return any(path == one or path.startswith(f"{one}/") for one in self.spare)


def captured(roots: tuple[str, ...], host: Host, store: Store) -> RestoreFiles:
    """The step that restores what stands at and below `roots` now; the bytes are in the store, but for names that are no UTF-8."""
    entries = tuple(map(shown, host.tree(_checked(roots))))
    digests = {one.path: one.digest for one in entries if one.kind == "file" and not is_odd(one)}
    missing = [path for path, digest in digests.items() if digest not in store]
    for path, data in host.read_many(missing).items():
        if store.put(data) != digests[path]:
            raise StateDiffers(
                f"{host.name}: {path} changed while it was captured", hint="see who writes it, then resume"
            )
    if lost := [path for path in missing if digests[path] not in store]:
        raise StateDiffers(f"{host.name}: {', '.join(lost)} vanished while being captured", hint="resume")
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
            raise InvalidInput(f"{root!r} is no absolute path without '..'")
    return tuple(roots)

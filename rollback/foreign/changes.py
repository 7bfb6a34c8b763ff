"""Changes by others beside packages since the runs on a host ended: which are kept, and which are reverted. Pure.

A run captures the state at its end (`CaptureState`). Whatever differs from it now, others changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.state.capture import left_alone as not_captured
from nornir_upgrade.core.state.entries import area_of, value_of
from nornir_upgrade.core.state.harmless import why_explained
from nornir_upgrade.core.state.places import left as left_alone
from nornir_upgrade.core.state.places import place_of, records_of
from nornir_upgrade.core.transport.host import FileState
from nornir_upgrade.core.transport.odd_names import odd
from nornir_upgrade.steps.state import RestoreState

_ABSENT = "absent"
_CHOICES = ("/var/lib/dpkg/alternatives", "/var/lib/alternatives")
_LINES = {"/etc/passwd": "user ", "/etc/group": "group "}


@dataclass(frozen=True, slots=True)
class Others:
    """`stays`: paths that only others changed. `merged`: files in which records of others are kept. `returns`: paths that others
    changed after the runs had, which are restored. `unknown`: nobody knows who changed what, so that all of it is restored.
    """

    stays: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    unknown: bool = False

    def tells(self, name: str) -> bool:
        """Whether others made the difference of this name. A choice of alternatives(8) is known by its file too, and a service by the
        link that enables it.
        """
        lines = tuple(word for path, word in _LINES.items() if path in self.merged)
        if not name.startswith("/") and any(f"{place}/{name}" in self.stays for place in _CHOICES):
            return True
        if any(path.endswith(f"/{name}.service") for path in self.stays):  # the link enables or masks it
            return True
        return name in self.stays or name in self.merged or bool(lines and name.startswith(lines))


def others(
    state: RestoreState | None, changed: frozenset[str] | None, left: Iterable[FileState], now: HostFacts
) -> Others:
    """What others changed on a host whose runs captured `state`, changed the paths `changed` and ended with the state `left`."""
    if state is None:
        return Others()
    if changed is None:
        return Others(unknown=True)
    then = tuple(left)
    since = _changed(then, now)
    alone = {file.path for file in (*then, *state.entries) if not_captured(file)}
    back = {path for path in changed if path not in alone and not odd(path)}
    return Others(
        tuple(path for path in since if path not in back and not records_of(path)),
        tuple(path for path in since if records_of(path)),
        tuple(path for path in since if path in back and not records_of(path)),
    )


def _changed(left: Iterable[FileState], now: HostFacts) -> tuple[str, ...]:
    """The paths that differ from `left`. A new path counts if it is in an area that is restored."""
    files = (entry for entry in now.entries if entry.name.startswith("/") and entry.area == area_of(entry.name))
    # An override or a diversion is called as its file.
    present: Mapping[str, str] = {entry.name: entry.value for entry in files}
    then = {file.path: value_of(file) for file in left}
    known = {path for path in present if path in then or _restored(path)}
    paths = sorted(then.keys() | known)
    return tuple(
        path for path in paths if then.get(path, _ABSENT) != present.get(path, _ABSENT) and _observed(path, now)
    )


def _observed(path: str, now: HostFacts) -> bool:
    """Whether facts include the path: older facts do not, and a scenario's own trees are in no area."""
    return bool(now.areas) and _restored(path)


def _restored(path: str) -> bool:
    place = place_of(path)
    return place is not None and place.restored and not left_alone(path) and not why_explained(area_of(path), path)

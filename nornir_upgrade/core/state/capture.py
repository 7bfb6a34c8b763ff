"""Capture: everything a way back restores on a host beside its packages, as it is now, with file contents in the store."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from nornir_upgrade.core.errors import InvalidInput, StateDiffers
from nornir_upgrade.core.step import absolute
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host
from nornir_upgrade.core.transport.odd_names import is_odd, shown

from .entries import area_of
from .harmless import why_explained
from .places import AT_ONCE, BOUND, left, records_of, roots

_ATTEMPTS = 3
ROOTS = roots(restored=True)
"""The places that every capture covers. A scenario may add roots of its own (`configuration`)."""


def surveyed(host: Host, configuration: Sequence[str] = ()) -> tuple[FileState, ...]:
    """The present state of every path that a capture covers, including paths that are only noted (`left_alone`).

    Raises `InvalidInput` for a root in `configuration` that is not absolute.
    """
    for root in configuration:
        if not absolute(root):
            raise InvalidInput(f"{root!r} is not an absolute path without '..'")
    added = outside(configuration)
    in_added = below(added)
    states = host.survey((*ROOTS, *added))
    return tuple(shown(state) for state in states if in_added(state.path) or is_restored(state.path))


def left_alone(state: FileState) -> bool:
    """Whether a path is only noted: never captured, restored or removed. Its name is not UTF-8, or the file is too large."""
    return is_odd(state) or (state.kind == "file" and state.size > AT_ONCE)


def paths_left_alone(states: Iterable[FileState]) -> frozenset[str]:
    """The paths in `states` that are `left_alone`."""
    return frozenset(state.path for state in states if left_alone(state))


def is_restored(path: str) -> bool:
    """Whether a difference at `path` matters: the path is not excluded, and no rule explains its differences as harmless."""
    return not left(path) and not why_explained(area_of(path), path)


def capture_state(host: Host, store: Store, configuration: Sequence[str], end: bool) -> tuple[FileState, ...]:
    """The present state of every path, with file contents in the store. At the `end` of a run only files of records are stored.

    Retries when a file changes during reading. Raises `StateDiffers` if one changes on every attempt.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        states = surveyed(host, configuration)
        try:
            _store_contents(host, store, [state for state in states if not end or records_of(state.path)])
        except StateDiffers:
            if not attempts_left:
                raise
        else:
            break
    return states


def _store_contents(host: Host, store: Store, states: Iterable[FileState]) -> None:
    """Afterwards the store holds the contents of all files that are not `left_alone`.

    Raises `InvalidInput` when the files are too large together, or when a file of records (accounts and the like) is too large.
    """
    files = [state for state in states if state.kind == "file" and (records_of(state.path) or not left_alone(state))]
    _check_size(host, files)
    missing = {file.digest: file for file in files if file.digest not in store}
    for portion in _portions(missing.values()):
        for data in host.read_many([file.path for file in portion]).values():
            store.put(data)
    if changed := [file.path for file in missing.values() if file.digest not in store]:
        raise StateDiffers(
            f"{host.name}: {', '.join(changed)} changed while being captured",
            hint="find out who writes it, then resume",
        )


def _check_size(host: Host, files: Sequence[FileState]) -> None:
    total = sum(file.size for file in files)
    if total <= BOUND and all(file.size <= AT_ONCE for file in files):
        return
    largest = sorted(files, key=lambda file: -file.size)[:3]
    listed = ", ".join(f"{file.path} ({file.size >> 20} MiB)" for file in largest)
    raise InvalidInput(
        f"{host.name}: the state beside packages has {total >> 20} MiB, too much to capture; the largest are {listed}; "
        f"the limit is {BOUND >> 20} MiB in all, and {AT_ONCE >> 20} MiB for a list of accounts or the like: move data out of there",
        hint="then continue",
    )


def _portions(files: Iterable[FileState]) -> Iterator[list[FileState]]:
    """`files` in groups of at most `AT_ONCE` bytes, so that one reply fits into memory."""
    portion: list[FileState] = []
    for file in files:
        if portion and sum(other.size for other in portion) + file.size > AT_ONCE:
            yield portion
            portion = []
        portion.append(file)
    if portion:
        yield portion


def outside(configuration: Iterable[str]) -> tuple[str, ...]:
    """The roots in `configuration` that `ROOTS` does not cover."""
    covered = below(ROOTS)
    return tuple(root for root in configuration if not covered(root))


def below(trees: Iterable[str]) -> Callable[[str], bool]:
    """A test whether a path is one of `trees`, or lies below one."""
    tops = tuple(tree.rstrip("/") for tree in trees)
    return lambda path: any(path == top or path.startswith(f"{top}/") for top in tops)

"""Repositories: a file that tells apt where packages come from (sources.list(5)), and the indexes that it names."""

import time
from dataclasses import dataclass
from typing import Literal

from ..core import transaction
from ..core.errors import InvalidInput, PackageManagerLocked
from ..core.host import FileState, Host
from ..core.step import Step, absolute
from ..core.store import Store

_HOME = "/etc/apt/"
_UPDATE_LIMIT = 600.0  # seconds
_PAUSE = 2.0  # seconds between two tries at the lock of the indexes, for which apt-get does not wait


@dataclass(frozen=True, slots=True)
class SetRepository(Step, kind="repository"):
    """The file at `path` holds `text`, or the bytes in the store under `digest`, or is absent when neither is given;
    and apt knows the indexes that it names.

    Only these are fetched, so that no other repository that is out of order stands in the way of going back; and where the
    file goes nothing is, since apt no longer looks at the indexes it named.
    """

    path: str
    text: str | None = None
    digest: str = ""
    kind: Literal["repository"] = "repository"

    def __post_init__(self) -> None:
        if not absolute(self.path) or not self.path.startswith(_HOME):
            raise InvalidInput(f"{self.path!r} is no path below {_HOME}")

    def observe(self, host: Host, store: Store) -> Step:
        (state,) = host.stat((self.path,))
        if state.kind not in ("file", "absent"):
            raise InvalidInput(f"{host.name}: {self.path} is a {state.kind}, not a file")
        if state.kind == "absent":
            return SetRepository(self.path)
        return SetRepository(self.path, digest=store.put(host.read(self.path)))

    def apply(self, host: Host, store: Store) -> None:
        data = self._wanted(store)
        if data is None:
            host.place(FileState(self.path, "absent"))
            return
        (state,) = host.stat((self.path,))
        if state.kind != "file" or host.read(self.path) != data:
            host.write(self.path, data)
        update(host, self.path)

    def _wanted(self, store: Store) -> bytes | None:
        if self.digest:
            return store.get(self.digest)
        return None if self.text is None else self.text.encode()

    def describe(self) -> str:
        return f"repository {self.path} {'removed' if self.text is None and not self.digest else 'in place'}"


def update(host: Host, path: str) -> None:
    """Fetch the indexes that the sources file at `path` names, and leave all others alone.

    Raises `CommandFailed` when one cannot be fetched or is not signed as it must be, `PackageManagerLocked` when another
    process keeps the lock of the indexes.
    """
    argv = (
        *("apt-get", "-q", "-o", f"Dir::Etc::sourcelist={path}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", "APT::Get::List-Cleanup=false", "-o", "APT::Update::Error-Mode=any", "update"),
    )
    deadline = time.monotonic() + transaction.LOCK_WAIT
    while (result := host.run(argv, timeout=_UPDATE_LIMIT, check=False)).status != 0:
        failure = transaction.failure(host.name, result, f"apt-get update for {path}")
        if not isinstance(failure, PackageManagerLocked) or time.monotonic() > deadline:
            raise failure
        time.sleep(_PAUSE)

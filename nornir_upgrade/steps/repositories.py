"""Repositories: a file that names repositories to a package manager (sources.list(5), dnf.conf(5)), and the indexes that it names."""

import hashlib
import re
import time
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core import waiting
from nornir_upgrade.core.errors import CommandFailed, InvalidInput, PackageManagerLocked, StateDiffers
from nornir_upgrade.core.escrow.escrow import Escrow
from nornir_upgrade.core.packaging import lock
from nornir_upgrade.core.packaging.family import Family, Update
from nornir_upgrade.core.packaging.registry import families
from nornir_upgrade.core.step import Step, absolute
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import FileState, Host

_UPDATE_LIMIT = 600.0  # seconds
_SILENT = "its indexes cannot be fetched now"

_PAUSE = 2.0  # seconds between two tries at the lock of the indexes, for which apt-get does not wait


@dataclass(frozen=True, slots=True)
class SetRepository(Step, kind="repository"):
    """The file at `path` holds `text`, or the bytes in the store under `digest`, or is absent when neither is given;
    and the package manager that reads files there knows the indexes that it names.

    Only these are fetched, so that no other repository that is out of order stands in the way of going back; and where the
    file goes nothing is, since nobody looks any longer at the indexes it named. A file that is put back as it was need not name
    a repository that still answers, once packages are kept in escrow: what it offered is not counted on then.
    `mode`, `owner` and `group` are those of a file that comes back; one that is there keeps its own. `replaces`: the digest of the
    file whose text was rewritten to `text`; another one is left alone.
    """

    path: str
    text: str | None = None
    digest: str = ""
    mode: str = ""
    owner: str = ""
    group: str = ""
    replaces: str = ""
    kind: Literal["repository"] = "repository"

    def __post_init__(self) -> None:
        if not absolute(self.path) or not _readers(self.path):
            known = ", and ".join(family.repositories.place_words for family in families())
            raise InvalidInput(f"{self.path!r} is {known}")

    def observe(self, host: Host, store: Store) -> Step:
        (state,) = host.stat((self.path,))
        if state.kind not in ("file", "absent"):
            raise InvalidInput(f"{host.name}: {self.path} is a {state.kind}, not a file")
        if state.kind == "absent":
            return SetRepository(self.path)
        digest = store.put(host.read(self.path))
        return SetRepository(self.path, digest=digest, mode=state.mode, owner=state.owner, group=state.group)

    def apply(self, host: Host, store: Store) -> str:
        data = self._wanted(store)
        if data is None:
            host.place(FileState(self.path, "absent"))
            return ""
        (state,) = host.stat((self.path,))
        now = host.read(self.path) if state.kind == "file" else None
        if now != data:
            self._refuse_edited(host, now)
            place = state if now is not None else self
            host.write(
                self.path, data, mode=place.mode or "0644", owner=place.owner or "root", group=place.group or "root"
            )
        family = _readers(self.path)[0]
        if update := family.repositories.update(self.path, data):
            try:
                _fetch(host, family, update, self.path)
            except CommandFailed:
                if not self.digest or not Escrow.beside(store).list():
                    raise
                family.repositories.forget(host, self.path)
                return _SILENT
        return ""

    def _refuse_edited(self, host: Host, now: bytes | None) -> None:
        """Raises `StateDiffers` where the file is not the one that was rewritten: an edit would be lost."""
        if self.replaces and (now is None or hashlib.sha256(now).hexdigest() != self.replaces):
            raise StateDiffers(
                f"{host.name}: {self.path} changed since the plan was made", hint="nothing was written; plan again"
            )

    def _wanted(self, store: Store) -> bytes | None:
        if self.digest:
            return store.get(self.digest)
        return None if self.text is None else self.text.encode()

    def describe(self) -> str:
        gone = self.text is None and not self.digest
        return f"repository {self.path} {'removed' if gone else 'rewritten' if self.replaces else 'in place'}"


def _readers(path: str) -> tuple[Family, ...]:
    """The package managers that read a file at `path`."""
    return tuple(family for family in families() if re.fullmatch(family.repositories.place, path))


def _fetch(host: Host, family: Family, update: Update, path: str) -> None:
    """Fetch the indexes that the file at `path` names, and leave all others alone.

    Raises `CommandFailed` when one cannot be fetched or is not signed as it must be, `PackageManagerLocked` when another
    process keeps the lock of the indexes.
    """
    deadline = time.monotonic() + lock.LOCK_WAIT
    while (result := host.run(update.argv, timeout=_UPDATE_LIMIT, check=False)).status != 0:
        failure = family.transactions.failure(host.name, result, f"{update.words} for {path}")
        if not isinstance(failure, PackageManagerLocked) or time.monotonic() > deadline:
            raise failure
        waiting.say(host.name, f"the lock of the indexes: {failure.message}, at most {lock.LOCK_WAIT} s")
        time.sleep(_PAUSE)

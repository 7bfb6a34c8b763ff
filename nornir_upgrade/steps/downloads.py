"""Downloads: what later transactions will install is fetched before any service stops, into the host's own package manager's cache."""

import re
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import DiskFull, InvalidInput
from nornir_upgrade.core.packaging.download import cached, download, drop, names_of
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.packaging.registry import family_of, formats, settle
from nornir_upgrade.core.step import Step
from nornir_upgrade.core.store import Store
from nornir_upgrade.core.transport.host import Host

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~^%-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewRepository:
    """A file of repositories that the host does not have yet."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class DownloadPackages(Step, kind="download"):
    """Transactions that together lead to `want` find every file in the cache once `repositories` are the host's; and no file
    called one of `gone` stands there.

    The host's package manager knows the repositories for this one call alone. Undone, what came goes again. A file that goes is not
    brought back by undoing that: nobody is promised what stands in a cache.
    """

    want: tuple[PackageWant, ...]
    repositories: tuple[NewRepository, ...] = ()
    gone: tuple[str, ...] = ()
    family: str = "deb"
    manager: str = ""
    kind: Literal["download"] = "download"

    def __post_init__(self) -> None:
        """Refuses what is no name, architecture, version or file name before anything hears of it. Raises `InvalidInput`."""
        settle(self)
        for one in self.want:
            family_of(self.manager).transactions.check(one)
        for name in self.gone:
            if not (_FILE.fullmatch(name) and name.endswith(tuple(format.suffix for format in formats()))):
                raise InvalidInput(f"{name!r} is no name of a package file")

    def observe(self, host: Host, store: Store) -> Step:
        names = {*self.gone, *names_of(self.manager, self.want, self._present(host))}
        return DownloadPackages((), gone=tuple(sorted(names - cached(host, self.manager, names))), manager=self.manager)

    def apply(self, host: Host, store: Store) -> str:
        drop(host, self.manager, self.gone)
        present = self._present(host)
        names = names_of(self.manager, self.want, present)
        if not names:
            return ""
        before = cached(host, self.manager, names)
        try:
            download(host, self.manager, {one.path: one.text for one in self.repositories}, self.want, present)
        except DiskFull:
            drop(host, self.manager, set(names) - before)  # whatever runs there needs the room now
            raise
        came = len(cached(host, self.manager, names) - before)
        return f"{came} files came" if came else "all were there"

    def _present(self, host: Host) -> tuple[Package, ...]:
        return family_of(self.manager).present(host) if self.want else ()

    def describe(self) -> str:
        if not self.want:
            return f"drop {len(self.gone)} downloaded package files"
        return f"download {sum(one.goal == 'installed' for one in self.want)} packages"

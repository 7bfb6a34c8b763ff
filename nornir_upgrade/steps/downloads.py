"""Download: package files are fetched into the package manager's cache on the host, before any service stops."""

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
    """A repository file that the host does not have yet."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class DownloadPackages(Step, kind="download"):
    """The cache holds every file that the transactions towards `want` need, and no file named in `gone`.

    The package manager uses `repositories` only for this download. Undoing removes the downloaded files. Undoing a removal
    downloads nothing: no one relies on a file in a cache.
    """

    want: tuple[PackageWant, ...]
    repositories: tuple[NewRepository, ...] = ()
    gone: tuple[str, ...] = ()
    family: str = "deb"
    manager: str = ""
    kind: Literal["download"] = "download"

    def __post_init__(self) -> None:
        """Raises `InvalidInput` for a bad name, architecture, version or file name, before any command gets it."""
        settle(self)
        for package in self.want:
            family_of(self.manager).transactions.check(package)
        for name in self.gone:
            if not (_FILE.fullmatch(name) and name.endswith(tuple(format.suffix for format in formats()))):
                raise InvalidInput(f"{name!r} is not the name of a package file")

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
            download(host, self.manager, {file.path: file.text for file in self.repositories}, self.want, present)
        except DiskFull:
            drop(host, self.manager, set(names) - before)  # services of the host need the room now
            raise
        fetched = len(cached(host, self.manager, names) - before)
        return f"{fetched} files came" if fetched else "all were there"

    def _present(self, host: Host) -> tuple[Package, ...]:
        return family_of(self.manager).present(host) if self.want else ()

    def describe(self) -> str:
        if not self.want:
            return f"drop {len(self.gone)} downloaded package files"
        return f"download {sum(one.goal == 'installed' for one in self.want)} packages"

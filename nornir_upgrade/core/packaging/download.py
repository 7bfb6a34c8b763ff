"""Downloads: package files in the cache of a host's own package manager, before anything is installed of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from nornir_upgrade.core.errors import DiskFull, Failure
from nornir_upgrade.core.escrow.escrow import PackageFile
from nornir_upgrade.core.transport.host import Host, Result

from .deb import download as download_deb
from .dnf import download as download_rpm
from .family import Name, family_of
from .file_source import full
from .model import Package, PackageWant

JOB = "download"


class Cache(Protocol):
    """Of one family: fixed scripts, and what they are told. `LIST` and `DROP` are told names of files, `DOWNLOAD` in arguments of
    the repositories and, by `words`, of the transaction."""

    FORMAT: str
    LIST: str
    DROP: str
    DOWNLOAD: str

    def words(self, want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]: ...
    def failure(self, host: str, result: Result) -> Failure: ...
    def file_name(self, path: str) -> str: ...


_CACHES: Mapping[Name, Cache] = {"deb": download_deb, "rpm": download_rpm}


def names_of(family: Name, want: Iterable[PackageWant], present: Iterable[Package]) -> tuple[str, ...]:
    """What the manager calls the files that it will install to have `want`, of packages that are not there in that version."""
    there = {(one.key, one.version) for one in present if one.unpacked}
    due = (one for one in want if one.goal == "installed" and (one.key, one.version) not in there)
    return tuple(sorted(PackageFile(family, one.name, one.arch, one.version).file_name for one in due))


def cached(host: Host, family: Name, names: Collection[str]) -> frozenset[str]:
    """Those of `names` that stand in the cache. Reads only."""
    return frozenset(_tell(host, _CACHES[family].LIST, names).text.splitlines()) if names else frozenset()


def drop(host: Host, family: Name, names: Collection[str]) -> None:
    """Afterwards none of `names` stands in the cache, nor a part of it."""
    if names:
        _tell(host, _CACHES[family].DROP, names)


def download(
    host: Host, family: Name, repositories: Mapping[str, str], want: Sequence[PackageWant], present: Sequence[Package]
) -> None:
    """Afterwards the one transaction that leads from `present` to `want`, and any part of it, has nothing to fetch, once the files
    `repositories` (path -> text) are among the host's sources.

    Raises `DiskFull`, `PackageManagerLocked`, `Unobtainable` naming what no index has, `CommandFailed` where something does not come.
    """
    cache = _CACHES[family]
    files = [text for path, content in repositories.items() for text in (cache.file_name(path), content)]
    words = cache.words(want, present)
    host.follow(JOB)  # of a controller that is no more
    family_of(family).quieten(host)
    host.forget(JOB)
    result = host.job(JOB, (("sh", "-c", cache.DOWNLOAD, "sh", cache.FORMAT, str(len(repositories)), *files, *words),))
    if result.status != 0:
        if line := full(result.text):
            hint = "make room there, then resume the run: no service was touched"
            raise DiskFull(f"{host.name}: {line}", hint=hint)
        raise cache.failure(host.name, result)
    host.forget(JOB)  # the host may be one that nothing else of the run comes to


def _tell(host: Host, script: str, names: Iterable[str]) -> Result:
    return host.run(("sh", "-c", script, "sh"), stdin="".join(f"{name}\n" for name in names).encode())

"""Downloads: package files in the cache of a host's own package manager, before anything is installed of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from nornir_upgrade.core.errors import DiskFull
from nornir_upgrade.core.transport.disk import full
from nornir_upgrade.core.transport.host import Host, Result

from .model import Package, PackageWant
from .package_file import PackageFile
from .registry import family_of

JOB = "download"


def names_of(manager: str, want: Iterable[PackageWant], present: Iterable[Package]) -> tuple[str, ...]:
    """What the manager calls the files that it will install to have `want`, of packages that are not there in that version."""
    format = family_of(manager).format.name
    there = {(package.key, package.version) for package in present if package.unpacked}
    due = (package for package in want if package.goal == "installed" and (package.key, package.version) not in there)
    return tuple(sorted(PackageFile(format, package.name, package.arch, package.version).file_name for package in due))


def cached(host: Host, manager: str, names: Collection[str]) -> frozenset[str]:
    """The files of `names` that are in the cache. Reads only."""
    return frozenset(_tell(host, family_of(manager).cache.LIST, names).text.splitlines()) if names else frozenset()


def drop(host: Host, manager: str, names: Collection[str]) -> None:
    """Afterwards none of `names` is in the cache, whole or in part."""
    if names:
        _tell(host, family_of(manager).cache.DROP, names)


def download(
    host: Host, manager: str, repositories: Mapping[str, str], want: Sequence[PackageWant], present: Sequence[Package]
) -> None:
    """Afterwards the one transaction that leads from `present` to `want`, and any part of it, has nothing to fetch, once the files
    `repositories` (path -> text) are among the host's sources.

    Raises `DiskFull`, `PackageManagerLocked`, `Unobtainable` naming what no index has, `CommandFailed` where something does not come.
    """
    family = family_of(manager)
    cache = family.cache
    files = [text for path, content in repositories.items() for text in (cache.file_name(path), content)]
    words = cache.words(want, present)
    host.follow(JOB)  # of a controller that is no more
    family.transactions.wait_for_lock(host)
    host.forget(JOB)
    result = host.job(JOB, (("sh", "-c", cache.DOWNLOAD, "sh", cache.FORMAT, str(len(repositories)), *files, *words),))
    if result.status != 0:
        if line := full(result.text):
            hint = "make room there, then resume the run: no service was touched"
            raise DiskFull(f"{host.name}: {line}", hint=hint)
        raise family.transactions.failure(host.name, result, cache.COMMAND)
    host.forget(JOB)  # the host may be one that nothing else of the run comes to


def _tell(host: Host, script: str, names: Iterable[str]) -> Result:
    return host.run(("sh", "-c", script, "sh"), stdin="".join(f"{name}\n" for name in names).encode())

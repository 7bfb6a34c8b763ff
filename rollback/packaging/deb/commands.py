"""The way back as apt-get commands, for a person. Pure."""

from collections.abc import Iterator, Sequence

from nornir_upgrade.core.packaging.deb.apt import Apt, install
from nornir_upgrade.core.packaging.lock import LOCK_WAIT
from nornir_upgrade.core.packaging.model import Package, PackageWant
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version
from rollback.packaging.judgement import Moved

_ANY = "all"


class AptCommands:
    """One apt-get command. Its options are those of `core.packaging.deb.apt.install`, whoever is to type it."""

    def of_host(self, want: Sequence[PackageWant], present: Sequence[Package]) -> tuple[str, ...]:
        return (quote(Apt().change(want, present, downgrade=True, wait=LOCK_WAIT)[0]),)

    def of_list(self, moved: Sequence[Moved], native: str) -> tuple[str, ...]:
        """Packages that went by another name are removed by it."""
        named = sorted(set(_words(moved, native)))
        held = any(package.hold for package in moved)
        return (quote(("apt-get", *install(named, downgrade=True, held=held))),) if named else ()


def arch_word(arch: str, native: str, **_: bool) -> str:
    """What follows a name for a foreign architecture."""
    return "" if arch in (native, _ANY) else f":{arch}"


def _words(moved: Sequence[Moved], native: str) -> Iterator[str]:
    coming = {package.target_name for package in moved if package.action != "remove"}
    for package in moved:
        if package.action != "remove":
            yield f"{_name(package.target_name, package.arch, native)}={check_version(package.target)}"
        if package.action in ("remove", "rename") and package.name not in coming:
            yield f"{_name(package.name, package.arch, native)}-"


def _name(name: str, arch: str, native: str) -> str:
    """The name as apt takes it for nothing but a name: one that ends in a plus sign needs its architecture."""
    check_name(name, qualified=True)
    own = arch in (native, _ANY) and not name.endswith("+")
    return name if own else f"{name}:{check_arch(native if arch == _ANY else arch)}"

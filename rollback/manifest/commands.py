"""A manifest of a machine that cannot be reached, as words: package words a line, or one command to be taken there. Pure."""

from collections import Counter
from collections.abc import Iterator

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.apt import OPTIONS
from nornir_upgrade.core.transport.host import quote
from nornir_upgrade.core.version import nevra
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version

from .files import moving
from .model import Change, Manifest

_DNF = ("dnf", "-y")


def words(manifest: Manifest, native: str) -> tuple[str, ...]:
    """What changes: `name=version`, and `name-` for what is removed; sorted, each once.

    A foreign architecture stands with the name (`libc6:i386`), with rpm where the name is there in several (`glibc.i686`).
    """
    shown = _archs(manifest, native)
    return tuple(
        sorted(
            {
                f"{change.name}{shown(change)}-"
                if change.action == "remove"
                else f"{change.target_name}{shown(change)}={change.target}"
                for change in moving(manifest)
            }
        )
    )


def apt(manifest: Manifest, native: str) -> tuple[str, ...]:
    """One apt-get command as a shell line; none where nothing changes. Packages that went by another name are removed by it."""
    if manifest.family != "deb":
        raise InvalidInput("these are rpm packages: apt cannot take them back", hint="-o dnf")
    named = sorted(set(_apt_words(manifest, native)))
    held = ("--allow-change-held-packages",) if any(change.hold for change in moving(manifest)) else ()
    return (quote(("apt-get", *OPTIONS, "--allow-downgrades", *held, "install", "--", *named)),) if named else ()


def dnf(manifest: Manifest) -> tuple[str, ...]:
    """One dnf command for what comes, and where something goes a second one for that; none where nothing changes.

    dnf takes `install` of an older version as an order to downgrade.
    """
    if manifest.family != "rpm":
        raise InvalidInput("these are Debian packages: dnf cannot take them back", hint="-o apt")
    come = sorted({nevra.in_words(c.target_name, c.target, c.arch) for c in moving(manifest) if c.action != "remove"})
    go = sorted(
        {nevra.in_words(c.name, c.installed, c.arch) for c in moving(manifest) if c.action in ("remove", "rename")}
    )
    lines = [quote((*_DNF, "install", "--allowerasing", *come))] if come else []
    return (*lines, *([quote((*_DNF, "remove", *go))] if go else []))


def _apt_words(manifest: Manifest, native: str) -> Iterator[str]:
    coming = {change.target_name for change in moving(manifest) if change.action != "remove"}
    for change in moving(manifest):
        if change.action != "remove":
            yield f"{_apt_name(change.target_name, change.arch, native)}={check_version(change.target)}"
        if change.action in ("remove", "rename") and change.name not in coming:
            yield f"{_apt_name(change.name, change.arch, native)}-"


def _apt_name(name: str, arch: str, native: str) -> str:
    """The name as apt takes it for nothing but a name: one that ends in a plus sign needs its architecture."""
    check_name(name, qualified=True)
    own = arch in (native, "all") and not name.endswith("+")
    return name if own else f"{name}:{check_arch(native if arch == 'all' else arch)}"


class _archs:
    """How the architecture of a change is written behind its name."""

    def __init__(self, manifest: Manifest, native: str) -> None:
        self._deb, self._native = manifest.family == "deb", native
        pairs = {(change.target_name, change.arch) for change in manifest.changes}
        self._several = {name for name, count in Counter(name for name, _ in pairs).items() if count > 1}

    def __call__(self, change: Change) -> str:
        if self._deb:
            return "" if change.arch in (self._native, "all") else f":{change.arch}"
        return f".{change.arch}" if change.target_name in self._several and change.arch else ""

"""What an administrator locked at its version: the list of dnf 4's plugin. Pure."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.version import evr

LIST = "/etc/dnf/plugins/versionlock.list"  # dnf-versionlock(8)

Locked = Callable[[Package], bool]
"""Whether a package is held at the version that it has."""


def parse_list(text: str) -> Locked:
    """A pattern a line, of a name, or of a name with more; one behind `!` forbids a version, and holds none."""
    lines = [line.strip() for line in text.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]  # `!…` is the form of no package
    if not patterns:
        return lambda package: False
    return lambda package: any(fnmatchcase(form, pattern) for form in _forms(package) for pattern in patterns)


def _forms(package: Package) -> Iterator[str]:
    """The package in each form that the plugin takes (hawkey's NEVRA, NEVR, NEV, NA and name)."""
    epoch, version, release = _parts(package)
    yield from (package.name, f"{package.name}.{package.arch}")
    for prefix in (f"{package.name}-{epoch}:", *([f"{package.name}-"] if epoch == "0" else [])):
        yield from (f"{prefix}{version}", f"{prefix}{version}-{release}", f"{prefix}{version}-{release}.{package.arch}")


def _parts(package: Package) -> tuple[str, str, str]:
    version = evr.found(package.version, "rpm")
    return version.epoch or "0", version.upstream, version.revision

"""Formats of packages (deb, rpm), as values: grammar of names and versions, names of files, and what removal leaves.

A host's manager has one format. Two managers may share one, as dnf 4 and zypper do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version.evr import Flavour

from .state import KeptPlace


@dataclass(frozen=True, slots=True)
class Format:
    """All that depends on the format alone.

    - `name`: its name in JSON and in scenarios.
    - `flavour`: how its versions are ordered.
    - `check_name`, `check_arch`, `check_version` (name, version): return the text, or raise `InvalidInput`.
    - `file_name` (name, version, architecture): the name of a package's file, which ends with `suffix`.
    - `purges`: a removed package keeps its configuration until it is purged, which may delete its data.
    - `several`: a package may be installed in several versions at once.
    - `any_arch`: the architecture of packages for every architecture.
    - `places`: what its packages' scripts change beside the files of packages.
    - `judgement`: where `rollback` finds its own value of this format, as `pkgutil.resolve_name` reads it; '' where rollback
      cannot judge it. So one registered value says all, and this package imports nothing of rollback.
    """

    name: str
    flavour: Flavour
    check_name: Callable[[str], str]
    check_arch: Callable[[str], str]
    check_version: Callable[[str, str], str]
    file_name: Callable[[str, str, str], str]
    suffix: str
    purges: bool
    several: bool
    any_arch: str
    places: tuple[KeptPlace, ...] = ()
    judgement: str = ""

    def check(self, name: str, arch: str, version: str) -> None:
        """Raises `InvalidInput` for a name, architecture or version that is none of this format."""
        self.check_name(name)
        self.check_arch(arch)
        self.check_version(name, version)


_KNOWN: dict[str, Format] = {}
"""By name: filled by `registry` alone."""


def add(format: Format) -> None:
    """Afterwards `format_of` returns it. For `registry.register`: nobody else registers anything."""
    _KNOWN[format.name] = format


def remove(format: Format) -> None:
    """Afterwards `format_of` knows it no longer. For `registry.registered`."""
    _KNOWN.pop(format.name, None)


def format_of(name: str) -> Format:
    """The format of this name. Raises `InvalidInput` naming those that are known."""
    if name not in _KNOWN:
        import_module(f"{__package__}.registry")  # it stands floors above, and imports what asks here
    if name not in _KNOWN:
        raise InvalidInput(f"{name!r} is no format of packages", hint=f"one of {', '.join(_KNOWN)}")
    return _KNOWN[name]

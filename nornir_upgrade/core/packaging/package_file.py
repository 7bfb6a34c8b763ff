"""Package files: a .deb or .rpm by the package that it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .format import format_of
from .model import Package

Source = Literal["cache", "repository", "rebuilt"]
Check = Literal["index", "signature", "name"]


DELIVERED = "/var/lib/nornir-upgrade/escrow"
"""The directory of delivered package files on a host; readable by root alone."""


@dataclass(frozen=True, slots=True, order=True)
class PackageFile:
    """The file of one package in one version. `family` is the name of its format (`deb`, `rpm`), as it is in JSON."""

    family: str
    name: str
    arch: str
    version: str

    def __post_init__(self) -> None:
        """Refuses what is no format, name, architecture or version: they go into commands and file names. Raises `InvalidInput`."""
        format_of(self.family).check(self.name, self.arch, self.version)

    @property
    def file_name(self) -> str:
        """What the package manager calls the file: its name begins with the package's."""
        return format_of(self.family).file_name(self.name, self.version, self.arch)

    def __str__(self) -> str:
        return f"{self.name}:{self.arch} {self.version}"


def files_of(format: str, packages: Iterable[Package]) -> tuple[PackageFile, ...]:
    """The package files of installed packages. Raises `InvalidInput` for a format that is none."""
    name = format_of(format).name
    return tuple(
        PackageFile(name, package.name, package.arch, package.version) for package in packages if package.unpacked
    )

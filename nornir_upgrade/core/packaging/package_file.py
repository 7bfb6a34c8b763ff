"""TODO"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version import nevra
from nornir_upgrade.core.version.deb import file_name
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version

from .model import Package

Family = Literal["deb", "rpm"]
Source = Literal["cache", "repository", "rebuilt"]
Check = Literal["index", "signature", "name"]


DELIVERED = "/var/lib/nornir-upgrade/escrow"
"""Where package files stand on a host; root's alone."""


@dataclass(frozen=True, slots=True, order=True)
class PackageFile:
    """The .deb or .rpm of one package in one version."""

    family: Family
    name: str
    arch: str
    version: str

    def __post_init__(self) -> None:
        """Refuses what is no name, architecture or version: they go into commands and file names. Raises `InvalidInput`."""
        if self.family == "deb":
            check_name(self.name, qualified=True), check_arch(self.arch), check_version(self.version)
        else:
            nevra.check_name(self.name), nevra.check_arch(self.arch), nevra.in_words(self.name, self.version)

    @property
    def file_name(self) -> str:
        """What apt or dnf call the file: its name begins with the package's."""
        if self.family == "deb":
            return file_name(self.name, self.version, self.arch)
        return f"{self.name}-{nevra.without_epoch(self.version)}.{self.arch}.rpm"

    def __str__(self) -> str:
        return f"{self.name}:{self.arch} {self.version}"


def files_of(family: str, packages: Iterable[Package]) -> tuple[PackageFile, ...]:
    """The package files of installed packages. Raises `InvalidInput` for another family than deb and rpm."""
    if family not in ("deb", "rpm"):
        raise InvalidInput(f"{family!r} is no family of packages")
    return tuple(PackageFile(family, one.name, one.arch, one.version) for one in packages if one.unpacked)  # type: ignore[arg-type]

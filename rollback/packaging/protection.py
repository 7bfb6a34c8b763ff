"""Protection: packages that are never removed, or of which several versions are installed side by side. Pure.

The defaults are those of dnf.conf(5) (`installonlypkgs`, `protected_packages`, `protect_running_kernel`), and what the packages of
the distributions add in /etc/dnf/protected.d.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nornir_upgrade.core.packaging.rpm.dependencies import RpmPackage

_KERNELS = tuple(
    f"kernel{variant}{part}"
    for variant in ("", "-debug", "-rt", "-64k", "-PAE", "-uek", "-ml", "-lt")
    for part in ("", "-core", "-modules", "-modules-core", "-modules-extra", "-devel")
)
_UNAME = "kernel-uname-r"  # what the package with a kernel's image provides, in the version that the kernel goes by


@dataclass(frozen=True, slots=True)
class DnfConf:
    """`install_only`: names or provided names of packages of which several versions may be installed; never up- or downgraded.

    dnf identifies kernels by what they provide. The names in `_KERNELS` identify kernels whose provided names are unknown.
    `protected`: glob patterns of names that are never removed.
    """

    install_only: frozenset[str] = frozenset(
        {
            *_KERNELS,
            "installonlypkg(kernel)",
            "installonlypkg(kernel-module)",
            "installonlypkg(vm)",
            "multiversion(kernel)",
        }
    )
    protected: tuple[str, ...] = ("dnf", "dnf5", "yum", "rpm", "systemd", "systemd-udev", "sudo", "setup", "glibc")

    def several(self, name: str, provides: Iterable[str] = ()) -> bool:
        """Whether several versions of a package that provides this may be installed side by side."""
        return name in self.install_only or not self.install_only.isdisjoint(provides)

    def protects(self, name: str) -> bool:
        """Whether packages of that name are never removed."""
        return any(fnmatchcase(name, pattern) for pattern in self.protected)

    def running(self, installed: Iterable[RpmPackage], kernel: str) -> tuple[RpmPackage, ...]:
        """The package of the running kernel, which is never removed. `kernel`: the content of /proc/sys/kernel/osrelease.

        If no package provides it, all install-only packages of its version and architecture count.
        """
        known = tuple(installed) if kernel else ()
        named = tuple(package for package in known if _holds(package, kernel))
        if named:
            return named
        plain = kernel.partition("+")[0]  # behind it stands the variant: debug, rt
        return tuple(
            package
            for package in known
            if f"{package.version.rpartition(':')[2]}.{package.arch}" == plain
            and self.several(package.name, (capability.name for capability in package.provides))
        )


DNF = DnfConf()
"""dnf with the defaults of the distributions."""


def _holds(package: RpmPackage, kernel: str) -> bool:
    return any(capability.name == _UNAME and capability.version == kernel for capability in package.provides)

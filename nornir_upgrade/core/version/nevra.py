"""NEVRA: rpm's full name of a package (name, epoch, version, release, architecture), and the grammar that data must match."""

import re
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput

from . import evr

# rpm --showrc knows these (lib/rpmrc, arch_canon and buildarch_compat); a name may hold dots, so only a known one is an architecture.
ARCHES = frozenset(
    """
    noarch src nosrc x86_64 x86_64_v2 x86_64_v3 x86_64_v4 amd64 ia32e i386 i486 i586 i686 athlon geode pentium3 pentium4
    ia64 aarch64 armv5tel armv5tejl armv6hl armv6l armv7l armv7hl armv7hnl armv8hl ppc ppc64 ppc64le ppc64p7 s390 s390x
    riscv64 loongarch64 mips mipsel mips64 mips64el mips64r6el sparc sparc64 sparcv9 sparc64v alpha sh4
    """.split()  # noqa: SIM905 - forty words are read more easily than forty strings
)
_NAME = re.compile(
    r"[^\W_][\w.+-]*"
)  # letters of every script; nothing that dnf reads as a pattern, a path or an option
_NEVRA = re.compile(
    r"(?P<name>.+)-(?:(?P<epoch>\(none\)|[0-9]+):)?(?P<version>[^\s:-]+)-(?P<release>[^\s:-]+)", re.ASCII
)
_NO_EPOCH = ("", "(none)", "0")


@dataclass(frozen=True, slots=True)
class Nevra:
    """The full name of a package. `evr` has no epoch if that is 0: to rpm both are the same. `arch` is '' if it is unknown.

    `epoch_told`: whether the text contained the epoch, or that there is none. Plain `rpm -qa` does not print it.
    """

    name: str
    evr: str
    arch: str
    epoch_told: bool


def check_name(text: str) -> str:
    """Returns `text`. Raises `InvalidInput` if it cannot be the name of an rpm package: dnf might read it as something else."""
    if not _NAME.fullmatch(text):
        raise InvalidInput(f"{text!r} is no name of an rpm package")
    return text


def check_arch(text: str) -> str:
    """Returns `text`. Raises `InvalidInput` if rpm does not know this architecture."""
    if text not in ARCHES:
        raise InvalidInput(f"{text!r} is no architecture of rpm")
    return text


def make(name: str, epoch: str, version: str, release: str, arch: str, *, told: bool = True) -> Nevra:
    """The package with these parts. `(none)` is no epoch or architecture, as in rpm's output. Raises `InvalidInput` for a bad part."""
    whole = f"{version}-{release}" if epoch in _NO_EPOCH else f"{epoch}:{version}-{release}"
    evr.parse(whole, "rpm")
    return Nevra(check_name(name), whole, check_arch(arch) if arch not in ("", "(none)") else "", told)


def parse(text: str) -> Nevra:
    """The package in a text `name-[epoch:]version-release[.arch]`. Raises `InvalidInput` for any other text."""
    stem, _, arch = text.rpartition(".")
    if arch not in ARCHES:
        stem, arch = text, ""
    match = _NEVRA.fullmatch(stem)
    if not match:
        raise InvalidInput(f"{text!r} is no name-version-release of a package")
    told = match["epoch"] is not None
    return make(match["name"], match["epoch"] or "", match["version"], match["release"], arch, told=told)


def without_epoch(version: str) -> str:
    """The version as plain `rpm -qa` prints it."""
    return version.partition(":")[2] or version


def in_words(name: str, version: str, arch: str = "") -> str:
    """The package as an argument of dnf: `name-[epoch:]version-release[.arch]`."""
    evr.parse(version, "rpm")
    return f"{check_name(name)}-{version}" + (f".{check_arch(arch)}" if arch else "")

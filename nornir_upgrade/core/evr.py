"""Versions as package managers write and order them, and the grammar that data must match before it reaches one.

Order: Debian's from python-debian (which asks apt itself where the interpreter has python-apt), RPM's from rpm-vercmp.
"""

import re
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Literal

from debian.debian_support import version_compare
from rpm_vercmp import vercmp

from .errors import InvalidInput

Flavour = Literal["deb", "rpm"]

_EPOCH_LIMIT = 2**31 - 1  # dpkg keeps an epoch in a C int (lib/dpkg/parsehelp.c)
# deb-version(7). `:` is allowed in the upstream version when there is an epoch, `-` when there is a revision.
_DEB_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]+):)?(?P<upstream>[A-Za-z0-9][A-Za-z0-9.+~:-]*?)(?:-(?P<revision>[A-Za-z0-9+.~]+))?", re.ASCII
)
_RPM_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]+):)?(?P<upstream>[A-Za-z0-9._+~^]+)(?:-(?P<revision>[A-Za-z0-9._+~^]+))?", re.ASCII
)
_GRAMMAR = {"deb": _DEB_VERSION, "rpm": _RPM_VERSION}
_DEB_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+", re.ASCII)  # Debian Policy 5.6.1
_DEB_ARCH = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)  # Debian Policy 11.1


@dataclass(frozen=True, slots=True)
class EVR:
    """A version taken apart. Equal when it is the same text; `compare` gives the order, where 1.0 and 1.00 are level.

    `epoch` and `revision` (RPM: release) are the text as written, '' where the version has none.
    """

    flavour: Flavour
    epoch: str
    upstream: str
    revision: str

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return epoch + self.upstream + (f"-{self.revision}" if self.revision else "")


def parse(text: str, flavour: Flavour = "deb") -> EVR:
    """The version that `text` is; `str` of it is `text` again. Raises `InvalidInput` where the grammar has no such version."""
    match = _GRAMMAR[flavour].fullmatch(text)
    if not match or (":" in match["upstream"] and not match["epoch"]) or int(match["epoch"] or 0) > _EPOCH_LIMIT:
        raise InvalidInput(f"{text!r} is no {flavour} version", hint="deb-version(7)" if flavour == "deb" else "")
    # A last hyphen always parts upstream version and revision: one with nothing behind it is no version.
    if flavour == "deb" and not match["revision"] and "-" in match["upstream"]:
        raise InvalidInput(f"{text!r} is no {flavour} version: its revision is empty or malformed")
    return EVR(flavour, match["epoch"] or "", match["upstream"], match["revision"] or "")


def compare(one: EVR, other: EVR) -> int:
    """Negative, zero or positive as `one` is older than, level with or newer than `other`. Both are of one flavour."""
    if one.flavour != other.flavour:
        raise InvalidInput(f"{one} ({one.flavour}) and {other} ({other.flavour}) have no common order")
    if one.flavour == "deb":
        return int(version_compare(str(one), str(other)))
    return _compare_rpm(one, other)


key = cmp_to_key(compare)
"""What `sorted` needs to bring EVRs into order."""


def _compare_rpm(one: EVR, other: EVR) -> int:
    """As rpm's own rpmVersionCompare: no epoch is epoch 0, and a missing release is level with any."""
    if difference := int(one.epoch or 0) - int(other.epoch or 0):
        return difference
    if difference := int(vercmp(one.upstream, other.upstream)):
        return difference
    return int(vercmp(one.revision, other.revision)) if one.revision and other.revision else 0


def check_version(text: str) -> str:
    """`text`, which is a Debian version. Raises `InvalidInput` for anything else, which apt might read as an order."""
    parse(text)
    return text


def check_name(text: str, *, qualified: bool = False) -> str:
    """`text`, which is a Debian package name. Raises `InvalidInput` for anything else.

    apt reads `sudo-` as "remove sudo" and `sudo+` as "install sudo", though Policy 5.6.1 lets a name end so. No package
    ends in a hyphen. Some end in one plus sign (memtest86+): such a name passes only when `qualified`, which says that
    its version and architecture are known from a host, where it is a name and no order. `g++` always passes.
    """
    ambiguous = re.search(r"-$" if qualified else r"-$|(?<!\+)\+$", text)
    if not _DEB_NAME.fullmatch(text) or ambiguous:
        raise InvalidInput(f"{text!r} is no name of a Debian package", hint="Debian Policy 5.6.1")
    return text


def check_arch(text: str) -> str:
    """`text`, which is a Debian architecture. Raises `InvalidInput` for anything else."""
    if not _DEB_ARCH.fullmatch(text):
        raise InvalidInput(f"{text!r} is no Debian architecture", hint="dpkg-architecture --list-known")
    return text

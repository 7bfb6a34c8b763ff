"""Versions as package managers write and order them, and the grammar that data must match before it reaches one.

Grammar and order of each flavour are in `debversion` and `rpmversion`; here is the one door to both.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput

from . import deb, rpm

Flavour = Literal["deb", "rpm"]

Key = deb.Key | rpm.Key

_CHECK: dict[Flavour, Callable[[str], str]] = {"deb": deb.check, "rpm": rpm.check}
_CUT: dict[Flavour, Callable[[str], tuple[str, str, str | None]]] = {"deb": deb.cut, "rpm": rpm.cut}
_COMPARE: dict[Flavour, Callable[[str, str], int]] = {"deb": deb.compare, "rpm": rpm.compare}
_KEY: dict[Flavour, Callable[[str], Key]] = {"deb": deb.sort_key, "rpm": rpm.sort_key}
_DEB_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+", re.ASCII)  # Debian Policy 5.6.1
_DEB_ARCH = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)  # Debian Policy 11.1


@dataclass(frozen=True, slots=True)
class EVR:
    """A version taken apart. Equal when it is the same text; `compare` gives the order, where 1.0 and 1.00 are level.

    `epoch` and `revision` (RPM: release) are the text as written, '' where the version has none. What only rpm would take, a
    colon or hyphen with nothing before or behind it, stays in `upstream`.
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
    return _evr(_CHECK[flavour](text), flavour)


def found(text: str, flavour: Flavour = "deb") -> EVR:
    """The version `text` as a host has it installed, valid or not; `str` of it is `text` again, and `compare` orders it as the
    host's dpkg or rpm does. Raises `InvalidInput` for '', and for what dpkg itself could not read; rpm reads anything.
    """
    if not text:
        raise InvalidInput(f"'' is no {flavour} version")
    if flavour == "deb":
        deb.split(text)
    return _evr(text, flavour)


def compare(one: EVR, other: EVR) -> int:
    """Negative, zero or positive as `one` is older than, level with or newer than `other`. Both are of one flavour.

    Some 20 µs: who compares by the million sorts or compares by `key`, a tenth of that.
    """
    if one.flavour != other.flavour:
        raise InvalidInput(f"{one} ({one.flavour}) and {other} ({other.flavour}) have no common order")
    return _COMPARE[one.flavour](str(one), str(other))


def key(one: EVR) -> Key:
    """What `sorted` needs to bring EVRs into order. Comparing the keys of two flavours is a `TypeError`."""
    return sort_key(str(one), one.flavour)


def sort_key(text: str, flavour: Flavour) -> Key:
    """The `key` of `found(text, flavour)`, without the way round by an EVR, and remembered.

    '' is older than any version. Raises `InvalidInput` for what dpkg could not read.
    """
    return _KEY[flavour](text)


def _evr(text: str, flavour: Flavour) -> EVR:
    epoch, upstream, revision = _CUT[flavour](text)
    whole = EVR(flavour, epoch, upstream, revision or "")
    return whole if str(whole) == text else EVR(flavour, "", text, "")


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

"""EVR: a version of either package format, its order, and the grammar that data must match before a package manager gets it.

`deb` and `rpm` hold the grammar and the order of each flavour. This module is the entry to both.
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
    """A version, split into its parts. Equal values have equal text; in the order of `compare`, 1.0 and 1.00 are equal as well.

    `epoch` and `revision` (RPM: release) are the text as written, '' if there is none. A colon or hyphen with nothing before or
    after it, which only rpm accepts, stays in `upstream`.
    """

    flavour: Flavour
    epoch: str
    upstream: str
    revision: str

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return epoch + self.upstream + (f"-{self.revision}" if self.revision else "")


def parse(text: str, flavour: Flavour = "deb") -> EVR:
    """The version in `text`; `str` of it is `text` again. Raises `InvalidInput` if `text` does not match the grammar."""
    return _evr(_CHECK[flavour](text), flavour)


def found(text: str, flavour: Flavour = "deb") -> EVR:
    """The version of a package that a host has installed, valid or not. `str` of it is `text` again.

    `compare` orders it as the host's dpkg or rpm does. Raises `InvalidInput` for '', and for text that dpkg cannot split.
    """
    if not text:
        raise InvalidInput(f"'' is no {flavour} version")
    if flavour == "deb":
        deb.split(text)
    return _evr(text, flavour)


def compare(one: EVR, other: EVR) -> int:
    """Negative, zero or positive if `one` is older than, equal to or newer than `other`. Raises `InvalidInput` for two flavours.

    Takes some 20 µs. Comparing by `key` takes a tenth of that: use it for millions of comparisons.
    """
    if one.flavour != other.flavour:
        raise InvalidInput(f"{one} ({one.flavour}) and {other} ({other.flavour}) have no common order")
    return _COMPARE[one.flavour](str(one), str(other))


def key(one: EVR) -> Key:
    """The sort key of an EVR, for `sorted`. Comparing keys of two flavours is a `TypeError`."""
    return sort_key(str(one), one.flavour)


def sort_key(text: str, flavour: Flavour) -> Key:
    """The `key` of `found(text, flavour)`, cached, and without making an EVR.

    '' is older than any version. Raises `InvalidInput` for text that dpkg cannot split.
    """
    return _KEY[flavour](text)


def _evr(text: str, flavour: Flavour) -> EVR:
    epoch, upstream, revision = _CUT[flavour](text)
    whole = EVR(flavour, epoch, upstream, revision or "")
    return whole if str(whole) == text else EVR(flavour, "", text, "")


def check_version(text: str) -> str:
    """Returns `text`. Raises `InvalidInput` if it is not a Debian version: apt might read it as something else."""
    parse(text)
    return text


def check_name(text: str, *, qualified: bool = False) -> str:
    """Returns `text`. Raises `InvalidInput` if it is not the name of a Debian package.

    apt reads `sudo-` as "remove sudo" and `sudo+` as "install sudo", though Policy 5.6.1 allows such names. No package name
    ends with a hyphen. Some end with one plus sign (memtest86+): these are accepted only if `qualified`, that is, if a host
    reported the name with version and architecture. `g++` is always accepted.
    """
    ambiguous = re.search(r"-$" if qualified else r"-$|(?<!\+)\+$", text)
    if not _DEB_NAME.fullmatch(text) or ambiguous:
        raise InvalidInput(f"{text!r} is no name of a Debian package", hint="Debian Policy 5.6.1")
    return text


def check_arch(text: str) -> str:
    """Returns `text`. Raises `InvalidInput` if it is not a Debian architecture."""
    if not _DEB_ARCH.fullmatch(text):
        raise InvalidInput(f"{text!r} is no Debian architecture", hint="dpkg-architecture --list-known")
    return text

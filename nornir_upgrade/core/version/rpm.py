"""RPM version: the grammar of RPM's versions, and their order.

`compare` uses rpm-vercmp, and adds what it lacks: carets, bytes beyond ASCII, newlines, missing parts, epochs and
releases. `sort_key` is the same order as a value, computed once a version, for millions of comparisons.
"""

import re
from functools import lru_cache
from itertools import zip_longest

from rpm_vercmp import vercmp

from nornir_upgrade.core.errors import InvalidInput

_GRAMMAR = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9._+~^]+(?:-[A-Za-z0-9._+~^]+)?", re.ASCII)  # rpm-version(7)
_EPOCH = re.compile(r"([0-9]+):", re.ASCII)  # to rpm a mere colon is epoch 0; a mere separator gives the same order
_SEPARATORS = re.compile(r"[^A-Za-z0-9~^]+", re.ASCII)
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|[~^]", re.ASCII)
# The order at the first difference (rpmio/rpmvercmp.c): a tilde, the end, a caret, letters, a number.
_TILDE, _END, _CARET, _END_OF_LETTERS, _NUMBER = "\x01", "\x02", "\x03", "\x00", 0x100

Key = tuple[str, str, str]


def check(text: str) -> str:
    """Returns `text`. Raises `InvalidInput` if rpmbuild would not accept it as a version."""
    if not _GRAMMAR.fullmatch(text):
        raise InvalidInput(f"{text!r} is no rpm version", hint="rpm-version(7)")
    return text


def cut(text: str) -> tuple[str, str, str | None]:
    """Epoch ('' if there is none), version, and release (`None` if there is none) of any text, as rpmverParse of rpm splits it."""
    epoch = _EPOCH.match(text)
    rest = text[epoch.end() :] if epoch else text
    version, hyphen, release = rest.rpartition("-")
    return epoch[1] if epoch else "", version if hyphen else rest, release if hyphen else None


def compare(one: str, other: str) -> int:
    """Negative, zero or positive if `one` is older than, equal to or newer than `other`, as rpmverCmp of rpm.

    A missing epoch is 0. A version without a release is older than the same version with one. (In a dependency it matches all of
    them; that is a rule of dependencies, not of the order.)
    """
    (epoch, *mine), (its_epoch, *its) = cut(one), cut(other)
    pairs = zip([epoch or "0", *mine], [its_epoch or "0", *its], strict=True)
    return next((difference for pair in pairs if (difference := compare_parts(*pair))), 0)


def compare_parts(one: str | None, other: str | None) -> int:
    """The order of two versions, two releases or two epochs. `None`, a missing part, is older than any.

    A caret compares like the end of the text, except that the end itself is older. So the texts between carets are compared one
    by one, and the text with carets left is newer.
    """
    if one is None or other is None:
        return (one is not None) - (other is not None)
    for mine, its in zip_longest(_SEPARATORS.sub(".", one).split("^"), _SEPARATORS.sub(".", other).split("^")):
        if mine is None or its is None:
            return 1 if its is None else -1
        if difference := int(vercmp(mine, its)):
            return difference
    return 0


@lru_cache(maxsize=2**16)
def sort_key(text: str) -> Key:
    """A value that sorts as `text` does."""
    epoch, version, release = cut(text)
    return _part(epoch or "0"), _part(version), "" if release is None else _part(release)


@lru_cache(maxsize=2**14)
def _part(text: str) -> str:
    """`text` translated so that the order of code points is the order of versions."""
    return "".join(map(_coded, _SEGMENT.findall(text))) + _END


@lru_cache(maxsize=2**13)
def _coded(segment: str) -> str:
    """The translation of a tilde, a caret, a number (a longer one is greater), or letters (a shorter word is less)."""
    if segment[0].isdigit():
        digits = segment.lstrip("0")
        return chr(_NUMBER + len(digits)) + digits
    return _TILDE if segment == "~" else _CARET if segment == "^" else segment + _END_OF_LETTERS

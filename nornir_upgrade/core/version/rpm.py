"""RPM's versions: which texts are one, and their order.

`compare` asks rpm-vercmp, and cures it of what it does not know: carets, bytes beyond ASCII, newlines, absent parts, epochs and
releases. `sort_key` is the same order as a value, computed once a version, for those who compare by the million.
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
# What decides at the first difference (rpmio/rpmvercmp.c): a tilde, the end, a caret, letters, a number.
_TILDE, _END, _CARET, _END_OF_LETTERS, _NUMBER = "\x01", "\x02", "\x03", "\x00", 0x100

Key = tuple[str, str, str]


def check(text: str) -> str:
    """`text`, which rpmbuild would accept. Raises `InvalidInput` for anything else."""
    if not _GRAMMAR.fullmatch(text):
        raise InvalidInput(f"{text!r} is no rpm version", hint="rpm-version(7)")
    return text


def cut(text: str) -> tuple[str, str, str | None]:
    """Epoch ('' where there is none), version and release (None where there is none), cut where rpm cuts any text (rpmverParse)."""
    epoch = _EPOCH.match(text)
    rest = text[epoch.end() :] if epoch else text
    version, hyphen, release = rest.rpartition("-")
    return epoch[1] if epoch else "", version if hyphen else rest, release if hyphen else None


def compare(one: str, other: str) -> int:
    """Negative, zero or positive as `one` is older than, level with or newer than `other`, as rpm's own rpmverCmp.

    No epoch is epoch 0. A version without release is older than the same one with any: that it matches all of them is a rule
    of dependencies, and no order.
    """
    (epoch, *mine), (its_epoch, *its) = cut(one), cut(other)
    pairs = zip([epoch or "0", *mine], [its_epoch or "0", *its], strict=True)
    return next((difference for pair in pairs if (difference := compare_parts(*pair))), 0)


def compare_parts(one: str | None, other: str | None) -> int:
    """The order of two versions, or two releases, or two epochs. None, which is no part at all, is older than any.

    A caret against anything is decided as the end of the text is, but for the end itself, which is older. So what stands
    between carets can be compared by itself, and whoever has carets left is newer.
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
    """`text` so that the order of code points is the order of versions."""
    return "".join(map(_coded, _SEGMENT.findall(text))) + _END


@lru_cache(maxsize=2**13)
def _coded(segment: str) -> str:
    """A tilde, a caret, a number (a longer one is greater), or letters (of which a shorter word is the lesser)."""
    if segment[0].isdigit():
        digits = segment.lstrip("0")
        return chr(_NUMBER + len(digits)) + digits
    return _TILDE if segment == "~" else _CARET if segment == "^" else segment + _END_OF_LETTERS

"""Deb version: the grammar of Debian's versions, and their order.

`compare` uses python-debian, which uses apt itself if the interpreter has python-apt. `sort_key` is the same order as a
value, computed once a version, for millions of comparisons.
"""

import re
import sys
from functools import lru_cache

from debian.debian_support import version_compare

from nornir_upgrade.core.errors import InvalidInput

_EPOCH_LIMIT = 2**31 - 1  # dpkg keeps an epoch in a C int (lib/dpkg/parsehelp.c)
_EPOCH = re.compile(r"[+]?0*([0-9]{1,10})|-0+", re.ASCII)  # what strtol(3) reads, as dpkg does
# deb-version(7). The upstream version may contain a colon if there is an epoch, and a hyphen if there is a revision.
_UPSTREAM = re.compile(r"[0-9][A-Za-z0-9.+~:-]*", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9.+~]+", re.ASCII)
_SPACE = re.compile(r"\s", re.ASCII)
_INT_DIGITS = sys.int_info.default_max_str_digits

# The order of characters, from order() in lib/dpkg/version.c: a tilde, the end of a run of non-digits, letters, everything else.
# Bytes beyond ASCII sort after letters and before punctuation: a C char is signed on most servers.
_TILDE, _END = "\x01", "\x02"
_DIGITS = frozenset("0123456789")
_RANKS = {code: chr(0x100 + code) for code in range(0x80) if not chr(code).isalnum()} | {ord("~"): _TILDE}
_RUN = re.compile(r"[0-9]+|[^0-9]+", re.ASCII)

Key = tuple[int, str, str]


# QuoteString of apt (apt-pkg/contrib/strutl.cc), as pkgAcqArchive and `apt-get download` call it. Of the characters that it quotes,
# names and versions can contain only these.
_QUOTED = str.maketrans({"_": "%5f", ":": "%3a"})


def check(text: str) -> str:
    """Returns `text`. Raises `InvalidInput` if it is not a version by deb-version(7).

    Accepts what `dpkg --validate-version` accepts, except surrounding spaces and a sign before the epoch.
    """
    if not _valid(text, split(text)):
        raise _invalid(text, "a character where it must not stand")
    return text


def cut(text: str) -> tuple[str, str, str]:
    """Epoch, upstream version and revision of any text, cut at the first colon and the last hyphen; '' for a missing part."""
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "", text
    upstream, hyphen, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if hyphen else (epoch, rest, "")


def split(text: str) -> tuple[int, str, str]:
    """Epoch, upstream version and revision, as parseversion of dpkg splits a text. A missing part is 0.

    Accepts versions that dpkg refuses in a new package but tolerates in a status file, as `dpkg --compare-versions` does.
    Raises `InvalidInput` for what dpkg cannot split: no number before the first colon, nothing after a colon or the last hyphen,
    white space. '' is older than any version: its epoch is -1.
    """
    if not text:
        return -1, "", ""
    epoch, upstream, revision = cut(text)
    number = _EPOCH.fullmatch(epoch or ("" if text[0] == ":" else "0"))
    if not number or int(number[1] or 0) > _EPOCH_LIMIT:
        raise _invalid(text, f"its epoch is no number from 0 to {_EPOCH_LIMIT}")
    if not upstream or text[-1] == "-":
        raise _invalid(text, "its revision is empty" if upstream else "its upstream version is empty")
    if _SPACE.search(text):
        raise _invalid(text, "white space")
    return int(number[1] or 0), upstream, revision or "0"


def compare(one: str, other: str) -> int:
    """Negative, zero or positive if `one` is older than, equal to or newer than `other`. Raises as `split` does.

    python-debian refuses invalid versions, and numbers too long for `int`: these are compared by their keys.
    """
    if all(len(text) <= _INT_DIGITS and _valid(text, split(text)) for text in (one, other)):
        return int(version_compare(one, other))
    mine, its = sort_key(one), sort_key(other)
    return (mine > its) - (mine < its)


@lru_cache(maxsize=2**16)
def sort_key(text: str) -> Key:
    """A value that sorts as `text` does. Raises as `split` does."""
    epoch, upstream, revision = split(text)
    return epoch, _part(upstream), _part(revision)


@lru_cache(maxsize=2**14)
def _part(text: str) -> str:
    """`text` translated so that the order of code points is the order of versions: characters by rank, numbers by value.

    Beyond the end of a text, dpkg reads empty runs and zeros: a missing zero is added at the end.
    """
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("latin-1")
    if text[-1:] not in _DIGITS:
        text += "0"
    return "".join(map(_coded, _RUN.findall(text))) + _END


@lru_cache(maxsize=2**13)
def _coded(run: str) -> str:
    """The translation of a run of digits, or of other characters. A number ends the run before it; a longer number is greater."""
    if run[0] not in _DIGITS:
        return run.translate(_RANKS)
    digits = run.lstrip("0")
    return _END + chr(len(digits)) + digits


def _valid(text: str, parts: tuple[int, str, str]) -> bool:
    _, upstream, revision = parts
    return text[:1].isdigit() and bool(_UPSTREAM.fullmatch(upstream) and _REVISION.fullmatch(revision))


def _invalid(text: str, why: str) -> InvalidInput:
    return InvalidInput(f"{text!r} is no deb version: {why}", hint="deb-version(7)")


def file_name(name: str, version: str, arch: str) -> str:
    """The name of a package file in apt's cache, and as `apt-get download` writes it."""
    return f"{name.translate(_QUOTED)}_{version.translate(_QUOTED)}_{arch.translate(_QUOTED)}.deb"

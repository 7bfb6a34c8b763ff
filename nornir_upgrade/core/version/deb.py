"""Debian's versions: which texts are one, and their order.

`compare` asks python-debian, which asks apt itself where the interpreter has python-apt. `sort_key` is the same order as a
value, computed once a version, for those who compare by the million.
"""

import re
import sys
from functools import lru_cache

from debian.debian_support import version_compare

from nornir_upgrade.core.errors import InvalidInput

_EPOCH_LIMIT = 2**31 - 1  # dpkg keeps an epoch in a C int (lib/dpkg/parsehelp.c)
_EPOCH = re.compile(r"[+]?0*([0-9]{1,10})|-0+", re.ASCII)  # what strtol(3) reads, as dpkg does
# deb-version(7). A colon is allowed in the upstream version when there is an epoch, a hyphen when there is a revision.
_UPSTREAM = re.compile(r"[0-9][A-Za-z0-9.+~:-]*", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9.+~]+", re.ASCII)
_SPACE = re.compile(r"\s", re.ASCII)
_INT_DIGITS = sys.int_info.default_max_str_digits

# The order of characters, as dpkg's order() in lib/dpkg/version.c has it: a tilde, the end of a run of non-digits, letters, all
# else. Bytes beyond ASCII come after letters and before punctuation, since a C char has a sign where most servers run.
_TILDE, _END = "\x01", "\x02"
_DIGITS = frozenset("0123456789")
_RANKS = {code: chr(0x100 + code) for code in range(0x80) if not chr(code).isalnum()} | {ord("~"): _TILDE}
_RUN = re.compile(r"[0-9]+|[^0-9]+", re.ASCII)

Key = tuple[int, str, str]


def check(text: str) -> str:
    """`text`, which is a version by deb-version(7). Raises `InvalidInput` for anything else.

    It is what `dpkg --validate-version` accepts, but for two things that dpkg lets pass: spaces around, a sign before an epoch.
    """
    if not _valid(text, split(text)):
        raise _invalid(text, "a character where it must not stand")
    return text


def cut(text: str) -> tuple[str, str, str]:
    """Epoch, upstream version and revision of any text, '' where it has none: cut at the first colon and the last hyphen."""
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "", text
    upstream, hyphen, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if hyphen else (epoch, rest, "")


def split(text: str) -> tuple[int, str, str]:
    """Epoch, upstream version and revision, each 0 where it is absent, of what dpkg can cut (its parseversion).

    A status file may hold versions that dpkg no longer takes from a new package: they pass, as they do with
    `dpkg --compare-versions`. Raises `InvalidInput` where dpkg gives up: no number before the first colon, nothing behind a
    colon or the last hyphen, white space. '' is no version, and older than any: its epoch is -1.
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
    """Negative, zero or positive as `one` is older than, level with or newer than `other`. Raises as `split` does.

    python-debian knows no invalid versions, and no numbers too long for `int`: those are ordered by their keys.
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
    """`text` so that the order of code points is the order of versions: runs of characters by rank, numbers by value.

    Where text ends, dpkg goes on to read empty runs and zeros: so a last run gets the zero that may be missing.
    """
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("latin-1")
    if text[-1:] not in _DIGITS:
        text += "0"
    return "".join(map(_coded, _RUN.findall(text))) + _END


@lru_cache(maxsize=2**13)
def _coded(run: str) -> str:
    """A run of digits or of anything else: a number ends the run before it, and a longer number is the greater one."""
    if run[0] not in _DIGITS:
        return run.translate(_RANKS)
    digits = run.lstrip("0")
    return _END + chr(len(digits)) + digits


def _valid(text: str, parts: tuple[int, str, str]) -> bool:
    _, upstream, revision = parts
    return text[:1].isdigit() and bool(_UPSTREAM.fullmatch(upstream) and _REVISION.fullmatch(revision))


def _invalid(text: str, why: str) -> InvalidInput:
    return InvalidInput(f"{text!r} is no deb version: {why}", hint="deb-version(7)")

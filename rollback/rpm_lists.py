"""`rpm -qa` as text: plain, with `--last`, and in the usual formats. Pure.

Lines that rpm itself says (`error:`, `warning:`) and lines that are no package are kept as unread: a package may stand behind them.
A file in which these outnumber the packages is refused. Public keys (`gpg-pubkey`) are no packages.
"""

import json
import re
from collections.abc import Callable

from nornir_upgrade.core.errors import InvalidInput

from .listing import Listed, Listing
from .nevra import Nevra, make, parse
from .text import Note, Text

HINT = r"make the file anew: rpm -qa --qf '%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n'"

_KEY = "gpg-pubkey"
_WARNING = re.compile(r"warning: ")
_LAST = re.compile(r"(?P<package>\S+)\s+[A-Z][a-z]{2} .*")  # --last: the day of the installation behind the name
_FIELDS = ("name", "epoch", "version", "release", "arch")


def rows(text: Text) -> Listing:
    """The packages that `text` names, one a line. Raises `InvalidInput` where hardly any line does."""
    found: list[Listed] = []
    notes: list[Note] = []
    unread: list[Note] = []
    for number, line in text.lines():
        if not line:
            continue
        try:
            package = _reader(line)(line)
        except InvalidInput as refusal:
            (notes if _WARNING.match(line) else unread).append(Note(number, refusal.message))
            continue
        if package.name != _KEY:
            found.append(Listed(number, package.name, package.arch, package.evr, epoch_told=package.epoch_told))
    if (len(unread) > len(found)) or not (found or _only_keys(text)):
        first = unread[0] if unread else Note(1, "no package in it")
        raise text.fail(first.line, first.text, HINT)
    return Listing(text.source, "rpm", tuple(found), (*notes, *text.notes()), tuple(unread))


def _reader(line: str) -> Callable[[str], Nevra]:
    if line.startswith("{"):
        return _json
    return _columns if line.count("\t") == 4 and not _LAST.fullmatch(line) else _name


def _name(line: str) -> Nevra:
    match = _LAST.fullmatch(line)
    return parse(match["package"] if match else line)


def _columns(line: str) -> Nevra:
    """`%{NAME}\\t%{EPOCH}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}`"""
    return make(*line.split("\t"))


def _json(line: str) -> Nevra:
    """An object a line, with the fields named as rpm's tags are, in small letters."""
    try:
        given = json.loads(line)
        fields = [given[name] for name in _FIELDS]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInput(f"no package: {line[:80]!r}") from None
    if not all(isinstance(field, str) for field in fields):
        raise InvalidInput(f"no package: {line[:80]!r}")
    return make(*fields)


def _only_keys(text: Text) -> bool:
    return all(_KEY in line for _, line in text.lines() if line)

"""`rpm -qa` as text: plain, with `--last`, with `--info`, and in the usual formats. Pure.

Messages of rpm (`error:`, `warning:`) and other lines without a package are reported as unread: a package may be hidden there.
A file with more such lines than packages is refused. Public keys (`gpg-pubkey`) are not packages.
"""

import json
import re
from collections.abc import Callable

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.version.nevra import Nevra, make, parse
from rollback.packaging.listing import Listed, Listing
from rollback.packaging.text import Note, Text

HINT = r"make the file anew: rpm -qa --qf '%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n'"

_KEY = "gpg-pubkey"
_WARNING = re.compile(r"warning: ")
_LAST = re.compile(r"(?P<package>\S+)\s+[A-Z][a-z]{2} .*")  # --last: the day of the installation behind the name
_FIELD = re.compile(r"(?P<name>Name|Epoch|Version|Release|Architecture|Description) *: ?(?P<value>.*)")  # --info
_FIELDS = ("name", "epoch", "version", "release", "arch")


def rows(text: Text) -> Listing:
    """The packages that `text` names, one a line. Raises `InvalidInput` if most lines name none."""
    packages: list[Listed] = []
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
            packages.append(Listed(number, package.name, package.arch, package.evr, epoch_told=package.epoch_told))
    if (len(unread) > len(packages)) or not (packages or _only_keys(text)):
        first = unread[0] if unread else Note(1, "no package in it")
        raise text.fail(first.line, first.text, HINT)
    return Listing(text.source, "rpm", tuple(packages), (*notes, *text.notes()), tuple(unread))


def blocks(text: Text) -> Listing:
    """`rpm -qai`: a block a package, with `Description` as its last field. Raises `InvalidInput` if a block has no full name.

    If the last block has no description, its package counts, and a note reports that the file may be cut off.
    """
    every: list[tuple[int, dict[str, str]]] = []
    for number, line in text.lines():
        match = _FIELD.fullmatch(line)
        if match and match["name"] == "Name":
            every.append((number, {}))
        if match and not every:
            raise text.fail(number, f"the block begins without a name: {line!r}", HINT)
        if match and "Description" not in every[-1][1]:
            every[-1][1][match["name"]] = match["value"]
    packages = [(number, _package(text, number, fields)) for number, fields in every]
    listed = tuple(
        Listed(number, package.name, package.arch, package.evr) for number, package in packages if package.name != _KEY
    )
    cut = tuple(
        Note(number, f"the block of {fields['Name']} has no description: the file may be cut off here")
        for number, fields in every
        if "Description" not in fields
    )
    return Listing(text.source, "rpm", listed, (*cut, *text.notes()))


def _package(text: Text, line: int, fields: dict[str, str]) -> Nevra:
    try:
        name, version, release, arch = (fields[field] for field in ("Name", "Version", "Release", "Architecture"))
        return make(name, fields.get("Epoch", ""), version, release, arch)
    except KeyError as missing:
        raise text.fail(line, f"the block has no {missing}", HINT) from None
    except InvalidInput as refusal:
        raise text.fail(line, refusal.message, HINT) from None


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
        row = json.loads(line)
        fields = [row[name] for name in _FIELDS]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInput(f"no package: {line[:80]!r}") from None
    if not all(isinstance(field, str) for field in fields):
        raise InvalidInput(f"no package: {line[:80]!r}")
    return make(*fields)


def _only_keys(text: Text) -> bool:
    return all(_KEY in line for _, line in text.lines() if line)

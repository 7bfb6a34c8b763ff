"""Lists of dpkg: `dpkg --get-selections`, `dpkg-query -W`, `dpkg -l`. Pure and strict.

Only installed packages count. Rows with the selection deinstall or purge, or the state config-files or not-installed, are left out.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.apt import SELECTIONS, STATES
from nornir_upgrade.core.version.evr import check_arch, check_name, check_version
from rollback.packaging.listing import Listed, Listing
from rollback.packaging.text import Note, Text

HINT = "make the file anew: LC_ALL=C dpkg-query -W"

_GONE = ("not-installed", "config-files")
_WANTS = {"u": "unknown", "i": "install", "h": "hold", "r": "deinstall", "p": "purge"}
# dpkg-query(1), --list: the letters of its second column.
_LETTERS = {
    "n": "not-installed",
    "c": "config-files",
    "H": "half-installed",
    "U": "unpacked",
    "F": "half-configured",
    "W": "triggers-awaited",
    "t": "triggers-pending",
    "i": "installed",
}
_NOT_FOUND = re.compile(r"dpkg-query: no packages found matching \S+")
_RULE = re.compile(r"\+\+\+-(?P<name>=+)-(?P<version>=+)-(?P<arch>=+)-=+")
_LEAST = 14, 12, 12  # dpkg's own least widths of name, version and architecture where no terminal limits them
_DESIRED = "Desired=Unknown/Install/Remove/Purge/Hold"

_Row = Callable[[int, str], Listed | None]


def selections(text: Text) -> Listing:
    """`dpkg --get-selections`: names and their selections, without versions."""
    return _listing(text, _selection)


def query(text: Text) -> Listing:
    """`dpkg-query -W`, plain or in a format of ours: version; architecture; state as three letters or three words.

    The plain format does not distinguish an installed package from one with only configuration left; a note reports that.
    """
    listing = _listing(text, _queried)
    if any(len(line.split("\t")) == 2 for _, line in text.lines()):
        note = Note(
            0, "dpkg-query -W does not say which packages are removed with their configuration left: all count as there"
        )
        return Listing(listing.source, "deb", listing.packages, (*listing.notes, note))
    return listing


def table(text: Text) -> Listing:
    """`dpkg -l`. If a terminal set the widths, a value that fills its column may be cut off.

    Such a version counts as unknown, with a note; such a name is refused.
    """
    lines = list(text.lines())
    head = next((number for number, line in lines if _RULE.fullmatch(line)), 0)
    if not head or _DESIRED not in {line for _, line in lines[:head]}:
        raise text.fail(1, "the heading of dpkg -l is missing or translated", HINT)
    widths = [len(width) for width in _RULE.fullmatch(lines[head - 1][1]).groups()]  # type: ignore[union-attr]
    rows = [(number, line) for number, line in lines[head:] if line and not _NOT_FOUND.fullmatch(line)]
    cells = [_cells(text, number, line) for number, line in rows]
    measured = [max((len(row[column]) for row in cells), default=0) for column in (1, 2, 3)]
    own = all(width == max(least, most) for width, least, most in zip(widths, _LEAST, measured, strict=True))
    packages, notes = [], []
    for (number, _), (state, name, version, arch) in zip(rows, cells, strict=True):
        if not own and len(name) >= widths[0]:
            raise text.fail(number, f"the name {name!r} fills its column and may be cut off", HINT)
        if cut := not own and len(version) >= widths[1]:
            notes.append(
                Note(number, f"the version of {name} fills its column, may be cut off, and counts as not said")
            )
        listed = _checked(text, number, partial(_stated, number, name, "" if cut else version, arch, state))
        packages += [listed] if listed else []
    return Listing(text.source, "deb", _once(text, packages), (*_asides(text), *notes, *text.notes()))


# ---------------------------------------------------------------------- rows


def _listing(text: Text, row: _Row) -> Listing:
    packages = []
    for number, line in text.lines():
        if line and not _NOT_FOUND.fullmatch(line):
            listed = _checked(text, number, partial(row, number, line))
            packages += [listed] if listed else []
    return Listing(text.source, "deb", _once(text, packages), (*_asides(text), *text.notes()))


def _asides(text: Text) -> Iterator[Note]:
    return (Note(number, line) for number, line in text.lines() if _NOT_FOUND.fullmatch(line))


def _checked(text: Text, number: int, row: Callable[[], Listed | None]) -> Listed | None:
    try:
        return row()
    except InvalidInput as refusal:
        raise text.fail(number, refusal.message, HINT) from None


def _once(text: Text, packages: list[Listed]) -> tuple[Listed, ...]:
    """`packages`, which must be unique: dpkg has one version of a name and architecture."""
    seen: dict[tuple[str, str], int] = {}
    for package in packages:
        before = seen.setdefault((package.name, package.arch), package.line)
        if before != package.line:
            raise text.fail(package.line, f"{package.name} stands in line {before} already", HINT)
    return tuple(packages)


def _selection(number: int, line: str) -> Listed | None:
    words = line.split()
    if len(words) != 2 or words[1] not in SELECTIONS:
        raise InvalidInput(f"no selection of a package: {line.strip()!r}")
    name, arch = _named(words[0])
    return None if words[1] not in ("install", "hold") else Listed(number, name, arch, "", words[1] == "hold")


def _queried(number: int, line: str) -> Listed | None:
    fields = line.split("\t") if "\t" in line else line.split(" ")
    match len(fields):
        case 2:  # the plain format; one that is not installed has no version
            (name, arch), version = _named(fields[0]), fields[1]
            return Listed(number, name, arch, check_version(version)) if version else None
        case 4:  # ${binary:Package} ${Version} ${Architecture} ${db:Status-Abbrev}
            return _stated(number, fields[0], fields[1], fields[2], fields[3])
        case 6 if fields[-1] in (*STATES, "not-installed"):
            # ${Package} ${Version} ${Architecture} ${Status}, or with the architecture first as our own queries ask.
            name, one, other, *status = fields
            version, arch = (other, one) if "\t" in line else (one, other)
            return _stated(number, name, version, arch, " ".join(status))
    raise InvalidInput(f"no package and version: {line!r}")


def _stated(number: int, name: str, version: str, arch: str, status: str) -> Listed | None:
    """The package of a row whose state stands as dpkg's three words or as its letters; None for one that is not there."""
    words = tuple(status.split()) if len(status) > 3 else _abbreviated(status)
    if len(words) != 3:
        raise InvalidInput(f"unknown status {status}")
    selection, error, state = words
    if selection not in SELECTIONS or error not in ("ok", "reinstreq") or state not in (*STATES, *_GONE):
        raise InvalidInput(f"unknown status {status}")
    if state in _GONE:
        return None
    own, _ = _named(name)
    trouble = f"{state}{', must be reinstalled' * (error != 'ok')}" if (error, state) != ("ok", "installed") else ""
    return Listed(
        number,
        own,
        check_arch(arch),
        check_version(version) if version else "",
        selection == "hold",
        trouble=trouble if not state.startswith("triggers-") else "",
    )


def _abbreviated(letters: str) -> tuple[str, str, str]:
    """The status that dpkg's two or three letters stand for."""
    code = letters.ljust(3)
    if len(code) != 3 or code[0] not in _WANTS or code[1] not in _LETTERS or code[2] not in " R":
        raise InvalidInput(f"{letters!r} is no state of a package")
    return _WANTS[code[0]], "reinstreq" if code[2] == "R" else "ok", _LETTERS[code[1]]


def _named(word: str) -> tuple[str, Literal[""] | str]:
    name, colon, arch = word.partition(":")
    return check_name(name, qualified=True), check_arch(arch) if colon else ""


def _cells(text: Text, number: int, line: str) -> tuple[str, str, str, str]:
    """State, name, version and architecture of a row of `dpkg -l`: none of them holds a blank."""
    words = line[3:].split()
    if line[:1] not in _WANTS or line[3:4] not in ("", " ") or len(words) < 3:
        raise text.fail(number, f"no row of dpkg -l: {line!r}", HINT)
    return line[:3].rstrip(), words[0], "" if words[1] == "<none>" else words[1], words[2]

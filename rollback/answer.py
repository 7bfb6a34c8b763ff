"""What a host answers when it is asked what it could have: indexes by digest, and the packages that are there. Strict and pure."""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.sections import Section, split
from nornir_upgrade.core.store import digest_of

from .catalog import Control, control_of
from .offers import path_labels
from .universe import FIELDS

KEY = ("Package", "Architecture", "Version")
STATUS_FIELDS = (*KEY, "Status", *FIELDS)
"""The fields of dpkg's stanzas that are asked for."""
ABOUT = ("DESCRIPTION", "REPO_URI", "RELEASE", "COMPONENT", "ORIGIN", "LABEL", "SUITE", "CODENAME")
"""What apt says of an index (apt-get(8), indextargets): how it calls it, then what the repository goes by."""

_GONE = ("not-installed", "config-files")
_DIGEST = re.compile(r"[0-9a-f]{64}")  # it becomes the name of a file


@dataclass(frozen=True, slots=True)
class Index:
    """A repository's index on a host. `origin` is how apt names it, `labels` what the repository goes by."""

    digest: str
    origin: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host could have: its indexes, in apt's order. `files` are the small ones, by digest; `present` as in a `Catalog`."""

    indexes: tuple[Index, ...]
    files: Mapping[str, bytes]
    present: Mapping[tuple[str, str, str], Control]


def parse(text: str, boundary: str) -> Answer:
    """What the host printed; the indexes in its order. Raises `InvalidInput` with the line where it is not whole, or not ours."""
    sections = split(text, boundary)
    if "present" not in sections:
        raise InvalidInput("the answer does not say what is present")
    files: dict[str, bytes] = {}
    indexes = tuple(_index(section, files) for name, section in sections.items() if name.startswith("index "))
    return Answer(indexes, files, _present(sections["present"]))


# ---------------------------------------------------------------------- an index


def _index(section: Section, files: dict[str, bytes]) -> Index:
    """The index of a section; its file, where it came along, is put into `files`."""
    head, _, packed = section.text.partition("\n")
    about = [_known(value) for value in head.split("\t")]
    if len(about) != len(ABOUT) + 1 or not _DIGEST.fullmatch(digest := about.pop()):
        raise section.fail(f"no index of a repository: {head!r}")
    if packed:
        try:
            files[digest] = b64decode(packed, validate=True)
        except ValueError:  # binascii.Error is one, and so is what a sign outside ASCII raises
            raise section.fail("the index is cut off", 1) from None
        if digest_of(files[digest]) != digest:
            raise section.fail("the index is not the one that it is said to be", 1)
    return Index(digest, about[0], _labels(*about[1:]))


def _known(value: str) -> str:
    """apt leaves a name for which it has no value as it is."""
    return "" if value.startswith("$(") else value


def _labels(address: str, release: str, component: str, *more: str) -> tuple[str, ...]:
    """What a repository goes by: the parts of its path, suite and component in a row, then what its Release file says."""
    return (*path_labels(address, f"{release}/{component}"), *filter(None, more))


# ---------------------------------------------------------------------- what is on the host


def _present(section: Section) -> dict[tuple[str, str, str], Control]:
    found = {}
    for offset, stanza in _stanzas(section):
        try:
            key, state, control = _status(stanza)
        except InvalidInput as refusal:
            raise section.fail(refusal.message, offset) from None
        if state not in _GONE:
            found[key] = control
    return found


@lru_cache(maxsize=1 << 16)
def _status(stanza: str) -> tuple[tuple[str, str, str], str, Control]:
    fields = _fields(stanza)
    return (fields["Package"], fields["Architecture"], fields["Version"]), fields["Status"], control_of(fields)


# ---------------------------------------------------------------------- stanzas


def _stanzas(section: Section) -> Iterator[tuple[int, str]]:
    """Each stanza with its offset."""
    lines = section.text.split("\n")
    begun = 0
    for offset in range(len(lines)):
        if not lines[offset]:
            if offset > begun:
                yield begun, "\n".join(lines[begun:offset])
            begun = offset + 1
    if begun < len(lines):
        raise section.fail("the stanza has no end", begun)


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza, lines that go on joined by a blank."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if line[0] in " \t" and lines is not None:
            lines.append(line.strip())
        elif colon and name in STATUS_FIELDS and name not in found:
            lines = found[name] = [value.strip()]
        else:
            raise InvalidInput(f"no field that was asked for: {line[:80]!r}")
    if lacking := [key for key in (*KEY, "Status") if key not in found]:
        raise InvalidInput(f"a package without {' and '.join(lacking)}")
    return {name: " ".join(filter(None, lines)) for name, lines in found.items()}

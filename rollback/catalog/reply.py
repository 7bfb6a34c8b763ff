"""What a host answers when it is asked what it could have: indexes by digest, and the packages that are there. Strict and pure."""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.store import digest_of
from nornir_upgrade.core.transport.sections import Section, split
from rollback.offline.offers import path_labels
from rollback.packaging.candidate import Control
from rollback.packaging.deb import status
from rollback.packaging.listing import Family
from rollback.packaging.protection import DNF, DnfConf
from rollback.packaging.rpm import status as answer_rpm

ABOUT = ("DESCRIPTION", "REPO_URI", "RELEASE", "COMPONENT", "ORIGIN", "LABEL", "SUITE", "CODENAME")
"""What apt says of an index (apt-get(8), indextargets): how it calls it, then what the repository goes by. dnf's say the same."""

_DIGEST = re.compile(r"[0-9a-f]{64}")  # it becomes the name of a file
_PRESENT = {"deb": status.present, "rpm": answer_rpm.present}


@dataclass(frozen=True, slots=True)
class Index:
    """A repository's index on a host. `origin` is how its package manager names it, `labels` what the repository goes by.

    `lists` is the digest of its list of all files, where an rpm repository has one.
    """

    digest: str
    origin: str
    labels: tuple[str, ...]
    family: Family = "deb"
    lists: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host could have: its indexes, in its package manager's order. `files` are the small ones, by digest; `present` and
    `dnf` as in a `Catalog`.
    """

    indexes: tuple[Index, ...]
    files: Mapping[str, bytes]
    present: Mapping[tuple[str, str, str], Control]
    dnf: DnfConf = DNF


def parse(text: str, boundary: str, family: Family) -> Answer:
    """What the host printed; the indexes in its order. Raises `InvalidInput` with the line where it is not whole, or not ours."""
    sections = split(text, boundary)
    if "present" not in sections:
        raise InvalidInput("the answer does not say what is present")
    files: dict[str, bytes] = {}
    indexes = tuple(_index(section, family, files) for name, section in sections.items() if name.startswith("index "))
    dnf = answer_rpm.conf(sections["dnf"]) if "dnf" in sections else DNF
    return Answer(indexes, files, _PRESENT[family](sections["present"]), dnf)


def _index(section: Section, family: Family, files: dict[str, bytes]) -> Index:
    """The index of a section; its file, where it came along, is put into `files`."""
    head, _, packed = section.text.partition("\n")
    about, digests = head.split("\t")[: len(ABOUT)], head.split("\t")[len(ABOUT) :]
    digest, lists = (*digests, "")[:2] if digests else ("", "")
    sound = _DIGEST.fullmatch(digest) and (not lists or _DIGEST.fullmatch(lists))
    if len(digests) != (2 if family == "rpm" else 1) or not sound:
        raise section.fail(f"no index of a repository: {head!r}")
    if packed:
        try:
            files[digest] = b64decode(packed, validate=True)
        except ValueError:  # binascii.Error is one, and so is what a sign outside ASCII raises
            raise section.fail("the index is cut off", 1) from None
        if digest_of(files[digest]) != digest:
            raise section.fail("the index is not the one that it is said to be", 1)
    origin, *words = map(_known, about)
    return Index(digest, origin, _labels(*words), family, lists)


def _known(value: str) -> str:
    """apt leaves a name for which it has no value as it is."""
    return "" if value.startswith("$(") else value


def _labels(address: str, release: str, component: str, *more: str) -> tuple[str, ...]:
    """What a repository goes by: the parts of its path, suite and component in a row, then what its Release file says."""
    return (*path_labels(address, f"{release}/{component}"), *filter(None, more))

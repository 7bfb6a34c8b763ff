"""Reply: a host's answer to a query: indexes by digest, and the demands of its installed packages. Strict and pure."""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.store import digest_of
from nornir_upgrade.core.transport.sections import Section, split
from rollback.packaging.candidate import Control
from rollback.packaging.judgement import FormatJudgement, ManagerJudgement
from rollback.packaging.labels import ABOUT, path_labels
from rollback.packaging.protection import DNF, DnfConf
from rollback.packaging.registry import judgement_of, manager_judgement

_DIGEST = re.compile(r"[0-9a-f]{64}")  # it becomes the name of a file


@dataclass(frozen=True, slots=True)
class Index:
    """A repository's index on a host. `origin`: its name in the package manager; `labels`: the names of the repository.

    `lists`: the digest of its list of all files, if an rpm repository has one.
    """

    digest: str
    origin: str
    labels: tuple[str, ...]
    family: str = "deb"
    lists: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The indexes of a host, in its package manager's order. `files`: the small indexes, by digest; `present` and
    `dnf` as in a `Catalog`.
    """

    indexes: tuple[Index, ...]
    files: Mapping[str, bytes]
    present: Mapping[tuple[str, str, str], Control]
    dnf: DnfConf = DNF


def parse(text: str, boundary: str, manager: str) -> Reply:
    """The reply in the output of a host, with the indexes in its order. Raises `InvalidInput` with the wrong line."""
    sections, family = split(text, boundary), family_of(manager).format.name
    judgement, asked = judgement_of(family), manager_judgement(manager)
    if "present" not in sections:
        raise InvalidInput("the answer does not say what is present")
    files: dict[str, bytes] = {}
    named = [section for name, section in sections.items() if name.startswith("index ")]
    indexes = tuple(_index(section, family, judgement.digests, files) for section in named)
    return Reply(indexes, files, judgement.present(sections["present"]), _protection(judgement, asked, sections))


def _protection(judgement: FormatJudgement, asked: ManagerJudgement, sections: Mapping[str, Section]) -> DnfConf:
    if asked.conf and "dnf" in sections:
        return asked.conf(sections["dnf"])
    return judgement.protection


def _index(section: Section, family: str, count: int, files: dict[str, bytes]) -> Index:
    """The index of a section with `count` digests. If the section has its file, the file is added to `files`."""
    head, _, packed = section.text.partition("\n")
    about, digests = head.split("\t")[: len(ABOUT)], head.split("\t")[len(ABOUT) :]
    digest, lists = (*digests, "")[:2] if digests else ("", "")
    sound = _DIGEST.fullmatch(digest) and (not lists or _DIGEST.fullmatch(lists))
    if len(digests) != count or not sound:
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
    """The names of a repository: the parts of its path, suite and component in a row, then those of its Release file."""
    return (*path_labels(address, f"{release}/{component}"), *filter(None, more))

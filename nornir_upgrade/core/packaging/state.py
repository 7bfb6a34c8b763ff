"""State that a package manager decides: packages, their configuration files, repositories, and places of scripts. Types."""

import re
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.transport.sections import Section

from .model import Package, Repository

Area = Literal[
    "etc",
    "accounts",
    "alternatives",
    "diversions",
    "statoverrides",
    "debconf",
    "registries",
    "units",
    "certificates",
    "dpkg",
    "clusters",
    "boot",
]
Records = Literal["", "colon", "path", "stanza"]
"""`colon`: lines whose name ends at the first colon; `path`: lines that end with an absolute path; `stanza`: `Name:` begins each."""

_DIGEST = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<path>/.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """A file or a tree. One of a format of packages (`Format.places`) exists on hosts of that format alone."""

    path: str
    area: Area
    why: str
    restored: bool = True
    records: Records = ""


@dataclass(frozen=True, slots=True)
class Conffile:
    """A configuration file that a package owns. `digest` is the SHA-256 of what stands there ('' where nothing does)."""

    path: str
    package: str
    digest: str
    obsolete: bool = False


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that says where packages come from: sources, preferences, keyrings. `digest` is its SHA-256."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Packaged:
    """All of it on one host. `arch` is the package manager's native architecture."""

    arch: str
    packages: tuple[Package, ...]
    conffiles: tuple[Conffile, ...]
    sources: tuple[SourceFile, ...]
    repositories: tuple[Repository, ...]


def digests(section: Section) -> dict[str, str]:
    """`sha256sum -z`: digest, two signs, path, NUL; its status is 1 where some paths were not there."""
    if section.status not in (0, 1):
        section.succeeded()
    digest_of: dict[str, str] = {}
    for entry in section.text.split("\0")[:-1]:
        if not (match := _DIGEST.fullmatch(entry)):
            raise section.fail(f"no digest: {entry!r}")
        digest_of[match["path"]] = match["digest"]
    return digest_of

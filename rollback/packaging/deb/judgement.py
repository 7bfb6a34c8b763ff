"""Judgement: deb as a `FormatJudgement`, and apt as a `ManagerJudgement`."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import BinaryIO

from debian.debfile import DebFile

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.deb.dependencies import fields_of
from nornir_upgrade.core.packaging.model import Package
from rollback.packaging.candidate import Control, Offer
from rollback.packaging.judgement import FileReader, FormatJudgement, ManagerJudgement
from rollback.packaging.protection import DnfConf
from rollback.packaging.text import decode

from . import apt_policy, dpkg_lists, index, madison, query, status
from .clauses import DebRules
from .commands import AptCommands, arch_word
from .demands import DebDemands

# What dpkg calls the machines that the kernel names otherwise (dpkg-architecture(1)).
_MACHINES: Mapping[str, str] = MappingProxyType(
    {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386", "armv7l": "armhf", "ppc64le": "ppc64el"}
)

_MADISON = re.compile(r"\s*\S+ \| +\S+ \| .*")
_POLICY = re.compile(r"[a-z0-9][^\s:]*(?::[^\s:]+)?:|\s*(?:Installed|Candidate): .*|Package files:")
_SELECTION = re.compile(r"\S+\s+(?:install|hold|deinstall|purge|unknown)")
_DPKG_TABLE = re.compile(r"Desired=.*|\|\|/ .*|\+\+\+-.*")
_QUERY = re.compile(
    r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?"
    r"(?:\t[^\t]*|\t[^\t]*\t[^\t]*\t[a-zA-Z]{2}.?"
    r"|[ \t]\S*[ \t]\S*[ \t](?:install|hold|deinstall|purge|unknown)[ \t]\S+[ \t]\S+)"
)


def _machine(name: str) -> str:
    return _MACHINES.get(name, name)


def _rules(native: str, *_: object) -> DebRules:
    """A running kernel's package asks by itself before it is removed, and what is essential says so itself."""
    return DebRules(native)


def _whole(package: Package) -> bool:
    return package.state != "half-installed" and not package.broken


def _any_file(_: bytes) -> bool:
    """A file that no other format knows is read as `Packages`, which refuses it by its line."""
    return True


def _offers(data: bytes, source: str, labels: tuple[str, ...]) -> Iterable[Offer]:
    return index.packages(decode(data, source), labels)


def _control_of_file(file: BinaryIO, source: str) -> Control:
    try:
        text = DebFile(fileobj=file).control.get_content("control", encoding="utf-8", errors="surrogateescape")
    except Exception as error:  # of ar, tar and compressions, each in its own words
        raise InvalidInput(f"{source}: no package of dpkg: {error}") from None
    return status.control_of(dict(fields_of(str(text))))


DEB = FormatJudgement(
    packages="Debian packages",
    arch_word=arch_word,
    digests=1,
    present=status.present,
    protection=DnfConf(frozenset(), ()),
    candidates=index.candidates,
    tells_index=_any_file,
    offers=_offers,
    control_of_file=_control_of_file,
    rules=_rules,
    demands=DebDemands(),
    whole=_whole,
    bare_is_native=True,
    arch_in_source=False,
    own_units=False,
    machine=_machine,
    listings=(
        FileReader(_DPKG_TABLE.fullmatch, dpkg_lists.table),
        FileReader(_SELECTION.fullmatch, dpkg_lists.selections),
        FileReader(_QUERY.fullmatch, dpkg_lists.query),
    ),
    tables=(FileReader(_MADISON.fullmatch, madison.parse), FileReader(_POLICY.fullmatch, apt_policy.parse)),
)

APT = ManagerJudgement(tool="apt", commands=AptCommands(), query=query.argv)

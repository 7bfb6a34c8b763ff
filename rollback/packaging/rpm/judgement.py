"""Judgement: rpm as a `FormatJudgement`."""

import re
from collections.abc import Collection, Iterable
from typing import BinaryIO

from nornir_upgrade.core.packaging.model import Package
from rollback.packaging.candidate import Candidate, Control, Offer
from rollback.packaging.judgement import FileLists, FileReader, FormatJudgement
from rollback.packaging.protection import DNF, DnfConf

from . import dnf_list, filelists, header, index, primary, rpm_lists, status
from .clauses import RpmRules
from .demands import RpmDemands

_RPM_BLOCK = re.compile(r"Name +: \S+")


def _rules(native: str, kernel: str, install_only: frozenset[str], protection: DnfConf) -> RpmRules:
    return RpmRules(native, install_only, kernel, protection)


def _arch_word(arch: str, _: str, *, several: bool) -> str:
    return f".{arch}" if several and arch else ""


def _whole(_: Package) -> bool:
    """rpm lists a package only after it is unpacked. If its scriptlets did not run, it is installed again if possible, and kept
    otherwise.
    """
    return True


def _xml(data: bytes) -> bool:
    return data.lstrip()[:1] == b"<"


def _offers(data: bytes, source: str, labels: tuple[str, ...]) -> Iterable[Offer]:
    entries = primary.entries(data, source)
    return (Offer(entry.name, entry.arch, entry.version, source, labels, entry.control) for entry in entries)


def _control_of_file(file: BinaryIO, source: str) -> Control:
    return header.control_of_file(file.read(), source)


def _complete(
    candidates: Iterable[Candidate], data: bytes, source: str, paths: Collection[str]
) -> tuple[Candidate, ...]:
    return index.with_files(candidates, filelists.owners(data, source, paths))


RPM = FormatJudgement(
    packages="rpm packages",
    arch_word=_arch_word,
    digests=2,
    present=status.present,
    protection=DNF,
    candidates=index.candidates,
    tells_index=_xml,
    offers=_offers,
    control_of_file=_control_of_file,
    rules=_rules,
    demands=RpmDemands(),
    whole=_whole,
    bare_is_native=False,
    arch_in_source=True,
    own_units=True,
    beside=(".rpmnew", ".rpmsave", ".rpmorig"),
    file_lists=FileLists(index.unlisted, _complete),
    listings=(FileReader(_RPM_BLOCK.fullmatch, rpm_lists.blocks),),
    tables=(FileReader(dnf_list.tells, dnf_list.parse),),
    plain=rpm_lists.rows,
)

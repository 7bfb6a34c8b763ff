"""Escrow as a source: its package files as candidates; their demands are read from the files themselves."""

from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import BinaryIO

from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.package_file import PackageFile
from rollback.packaging.candidate import ESCROW, Candidate
from rollback.packaging.registry import judgement_of

_NONE: Mapping[str, bytes] = MappingProxyType({})


def candidates(
    escrow: Escrow, files: Collection[PackageFile], heads: Mapping[str, bytes] = _NONE
) -> Iterator[Candidate]:
    """The candidates of those `files` that are kept, by name: here, or on hosts that sent their `heads` (by digest).

    Raises `DigestMismatch` for a damaged file.
    """
    for file in sorted(files):
        kept = escrow.find(file)
        if kept and kept.digest in heads:
            yield _candidate(kept, BytesIO(heads[kept.digest]))
        elif kept and kept.digest in escrow.store:
            with escrow.store.open(kept.digest) as opened:
                yield _candidate(kept, opened)


def elsewhere(escrow: Escrow, files: Collection[PackageFile]) -> frozenset[str]:
    """The digests of those `files` that hosts may hold and that are lost or damaged here."""
    held = (kept for file in files if (kept := escrow.find(file)) and escrow.holders.of(kept.digest))
    return frozenset(kept.digest for kept in held if escrow.store.damaged(kept.digest))


def due(then: HostFacts, now: HostFacts) -> frozenset[PackageFile]:
    """The package files for the versions of `then` that are not completely installed `now`, including those of mere configuration."""
    whole = {
        (package.key, package.version)
        for package in now.packages
        if package.state == "installed" and not package.broken
    }
    gone = (package for package in then.packages if package.version and (package.key, package.version) not in whole)
    return frozenset(PackageFile(now.os.family, package.name, package.arch, package.version) for package in gone)


def _candidate(kept: Kept, opened: BinaryIO) -> Candidate:
    """The candidate of a package file. `opened` has its content, at least to the end of its head."""
    file = kept.file
    control = judgement_of(file.family).control_of_file(opened, str(file))
    return Candidate(file.name, file.arch, file.version, ESCROW, kept.digest, kept.size, control)

"""What the escrow offers: its package files as candidates, with what they demand of others, read from the files themselves."""

from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import BinaryIO

from debian.debfile import DebFile

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.escrow.escrow import Escrow, Kept
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.deb.stanzas import fields_of
from nornir_upgrade.core.packaging.package_file import Family, PackageFile
from rollback.packaging.candidate import ESCROW, Candidate, Control
from rollback.packaging.deb.status import control_of
from rollback.packaging.rpm.header import control_of_file

_NONE: Mapping[str, bytes] = MappingProxyType({})


def candidates(
    escrow: Escrow, files: Collection[PackageFile], heads: Mapping[str, bytes] = _NONE
) -> Iterator[Candidate]:
    """Those of `files` that are kept, by name: here, or on hosts, which told their `heads` (by digest).

    Raises `DigestMismatch` for a damaged one: it cannot be had.
    """
    for file in sorted(files):
        kept = escrow.find(file)
        if kept and kept.digest in heads:
            yield _candidate(kept, BytesIO(heads[kept.digest]))
        elif kept and kept.digest in escrow.store:
            with escrow.store.open(kept.digest) as opened:
                yield _candidate(kept, opened)


def elsewhere(escrow: Escrow, files: Collection[PackageFile]) -> frozenset[str]:
    """The digests of those of `files` that hosts may hold, and that are lost or damaged here."""
    found = (kept for file in files if (kept := escrow.find(file)) and escrow.holders.of(kept.digest))
    return frozenset(kept.digest for kept in found if escrow.store.damaged(kept.digest))


def due(then: HostFacts, now: HostFacts) -> frozenset[PackageFile]:
    """The files of what `then` was there, if only by its configuration, and is not whole at that version `now`."""
    family: Family = "rpm" if now.os.family == "rpm" else "deb"
    whole = {(one.key, one.version) for one in now.packages if one.state == "installed" and not one.broken}
    gone = (one for one in then.packages if one.version and (one.key, one.version) not in whole)
    return frozenset(PackageFile(family, one.name, one.arch, one.version) for one in gone)


def _candidate(kept: Kept, opened: BinaryIO) -> Candidate:
    """Of the package file that is `opened`, to the end of its head at least."""
    file = kept.file
    control = _deb(opened, str(file)) if file.family == "deb" else control_of_file(opened.read(), str(file))
    return Candidate(file.name, file.arch, file.version, ESCROW, kept.digest, kept.size, control)


def _deb(opened: BinaryIO, source: str) -> Control:
    try:
        text = DebFile(fileobj=opened).control.get_content("control", encoding="utf-8", errors="surrogateescape")
    except Exception as error:  # of ar, tar and compressions, each in its own words
        raise InvalidInput(f"{source}: no package of dpkg: {error}") from None
    return control_of(dict(fields_of(str(text))))

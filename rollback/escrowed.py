"""What the escrow offers: its package files as candidates, with what they demand of others, read from the files themselves."""

from collections.abc import Collection, Iterator
from typing import BinaryIO

from debian.debfile import DebFile

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.escrow import Escrow, Family, Kept

from .catalog import Candidate, Control, control_of
from .rpmheader import control_of_file
from .universe import fields_of

ORIGIN = "escrow"


def candidates(escrow: Escrow, family: Family, names: Collection[str]) -> Iterator[Candidate]:
    """The package files of these names that are kept, by name. Raises `DigestMismatch` for a damaged one: it cannot be had."""
    for kept in escrow.list():
        if kept.file.family == family and kept.file.name in names and kept.digest in escrow.store:
            yield _candidate(escrow, kept)


def _candidate(escrow: Escrow, kept: Kept) -> Candidate:
    file = kept.file
    with escrow.store.open(kept.digest) as opened:
        control = _deb(opened, str(file)) if file.family == "deb" else control_of_file(opened.read(), str(file))
    return Candidate(file.name, file.arch, file.version, ORIGIN, kept.digest, kept.size, control)


def _deb(opened: BinaryIO, source: str) -> Control:
    try:
        text = DebFile(fileobj=opened).control.get_content("control", encoding="utf-8", errors="surrogateescape")
    except Exception as error:  # of ar, tar and compressions, each in its own words
        raise InvalidInput(f"{source}: no package of dpkg: {error}") from None
    return control_of(dict(fields_of(str(text))))

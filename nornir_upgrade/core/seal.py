"""Seals: what is read is what was written. The seal of a row of the journal covers that of the row before it."""

import hashlib
from collections.abc import Iterable, Sequence

from .errors import DigestMismatch


def seal(before: str, fields: Iterable[object]) -> str:
    """SHA-256 over the seal `before` and the fields, each with its length, so that no two rows run together to the same."""
    digest = hashlib.sha256(before.encode())
    for field in fields:
        data = str(field).encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def check(what: str, before: str, fields: Sequence[object], found: str) -> str:
    """The seal that was `found` at a row, where it is the right one. Raises `DigestMismatch` naming `what` the row is about.

    A row without one was written by a version of this program that knew none; no damage takes a seal away.
    """
    if found and found != seal(before, fields):
        raise damaged(what)
    return found or before


def damaged(what: str) -> DigestMismatch:
    """The refusal of a row that is not what was written, or of rows that are not there."""
    return DigestMismatch(
        f"{what} in the journal is not what was written: nothing is done or undone by it",
        hint="mend the disk, and put a copy of the state directory in its place",
    )

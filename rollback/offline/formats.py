"""Formats of files: the first characteristic line identifies the tool that wrote a file; only that tool's parser reads it."""

from nornir_upgrade.core.errors import InvalidInput
from rollback.packaging.listing import Listing
from rollback.packaging.policy import VersionTable
from rollback.packaging.registry import judgements
from rollback.packaging.text import Text

_TELLING = 5  # lines, within which dpkg's lists show what they are


def policy(text: Text) -> VersionTable:
    """The available versions, from `apt-cache policy`, `apt-cache madison`, or dnf's or yum's `list`.

    Raises `InvalidInput` with line and reason.
    """
    readers = [reader for _, judgement in judgements() for reader in judgement.tables]
    for _, line in text.lines():
        for reader in readers:
            if reader.tells(line):
                return reader.parse(text)
    raise text.fail(
        1,
        "neither apt-cache policy, apt-cache madison nor dnf or yum list, or in another language",
        "make the file anew with LC_ALL=C",
    )


def listing(text: Text) -> Listing:
    """The installed packages, from dpkg's or rpm's lists of them. Raises `InvalidInput` with line and reason."""
    known = [judgement for _, judgement in judgements()]
    readers = [reader for judgement in known for reader in judgement.listings]
    for number, line in text.lines():
        for reader in readers:
            if reader.tells(line):
                return reader.parse(text)
        if number == _TELLING:
            break
    plain = next((judgement.plain for judgement in known if judgement.plain), None)
    if plain is None:
        raise InvalidInput(f"{text.source}: no list of installed packages that is known")
    return plain(text)

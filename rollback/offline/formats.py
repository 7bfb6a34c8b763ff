"""Which tool wrote a file: known by its first telling line, then read by that tool's parser alone."""

import re
from collections.abc import Callable

from rollback.packaging.deb import apt_policy, dpkg_lists, madison
from rollback.packaging.deb.apt_policy import Policy
from rollback.packaging.listing import Listing
from rollback.packaging.rpm import dnf_list, rpm_lists
from rollback.packaging.text import Text

_TELLING = 5  # lines, within which dpkg's lists show what they are
_MADISON = re.compile(r"\s*\S+ \| +\S+ \| .*")
_POLICY = re.compile(r"[a-z0-9][^\s:]*(?::[^\s:]+)?:|\s*(?:Installed|Candidate): .*|Package files:")
_SELECTION = re.compile(r"\S+\s+(?:install|hold|deinstall|purge|unknown)")
_DPKG_TABLE = re.compile(r"Desired=.*|\|\|/ .*|\+\+\+-.*")
_QUERY = re.compile(
    r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?"
    r"(?:\t[^\t]*|\t[^\t]*\t[^\t]*\t[a-zA-Z]{2}.?"
    r"|[ \t]\S*[ \t]\S*[ \t](?:install|hold|deinstall|purge|unknown)[ \t]\S+[ \t]\S+)"
)
_RPM_BLOCK = re.compile(r"Name +: \S+")


def policy(text: Text) -> Policy:
    """The versions that can be had, from `apt-cache policy`, `apt-cache madison`, or dnf's or yum's `list`.

    Raises `InvalidInput` with line and reason.
    """
    for _, line in text.lines():
        if _MADISON.fullmatch(line):
            return madison.parse(text)
        if _POLICY.fullmatch(line):
            return apt_policy.parse(text)
        if dnf_list.tells(line):
            return dnf_list.parse(text)
    raise text.fail(
        1,
        "neither apt-cache policy, apt-cache madison nor dnf or yum list, or in another language",
        "make the file anew with LC_ALL=C",
    )


def listing(text: Text) -> Listing:
    """The installed packages, from dpkg's or rpm's lists of them. Raises `InvalidInput` with line and reason."""
    known: tuple[tuple[re.Pattern[str], Callable[[Text], Listing]], ...] = (
        (_DPKG_TABLE, dpkg_lists.table),
        (_SELECTION, dpkg_lists.selections),
        (_QUERY, dpkg_lists.query),
        (_RPM_BLOCK, rpm_lists.blocks),
    )
    for number, line in text.lines():
        for pattern, parser in known:
            if pattern.fullmatch(line):
                return parser(text)
        if number == _TELLING:
            break
    return rpm_lists.rows(text)

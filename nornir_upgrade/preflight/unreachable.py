"""Findings about what did not answer: hosts that cannot be reached, repositories that cannot be fetched. Pure."""

import re

from nornir_upgrade.core.errors import DiskFull, Failure, NoSolution, Unobtainable, Unreachable
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.finding import Finding, some

UNREACHED = {
    "unreachable": "host-unreachable",
    "connection-lost": "host-unreachable",
    "host-key": "host-key",
    "login-refused": "login-refused",
    "sudo-refused": "sudo-refused",
}
"""Reference of the failure -> key of the finding."""
LOST = (*UNREACHED.values(), "host-unreadable", "disk-full")
"""Keys of hosts that did not answer. The other hosts are asked further."""

# What apt and dnf say, in this order: an expired index is signed, and an unsigned one was reached.
_REPOSITORIES = (
    ("repository-expired", re.compile(r"is expired|Valid-Until|is not valid yet")),
    ("repository-unsigned", re.compile(r"not signed|NO_PUBKEY|BADSIG|EXPKEYSIG|GPG|signatures?\b")),
    ("repository-unreachable", re.compile(r"")),
)
_OF_REPOSITORIES = "with the new repositories"


def of_lost(host: str, failure: Failure) -> Finding:
    """A host that cannot be reached, whose answer cannot be read, or whose disk is full."""
    if isinstance(failure, Unreachable):
        return of_unreached(host, failure)
    if isinstance(failure, DiskFull):
        return Finding("disk-full", host, "blocking", failure.message, f"on {host}: df -h; {failure.hint}")
    remedy = failure.hint or "see what is wrong there"
    return Finding("host-unreadable", host, "blocking", failure.message, f"{remedy}; or leave it out with --limit")


def of_unreached(host: str, failure: Unreachable) -> Finding:
    """A host that could not be reached."""
    key = UNREACHED.get(failure.reference, "host-unreachable")
    return Finding(
        key, host, "blocking", failure.message, failure.hint or "see that it is up, its address, and its port"
    )


def of_preview(facts: HostFacts, failure: Failure) -> Finding | None:
    """A host whose package manager did not answer the preview; None where that is no finding."""
    remedies = family_of(facts.os.manager).remedies
    if isinstance(failure, NoSolution):
        remedy = "; ".join(filter(None, (failure.hint or remedies.try_out, _in_the_way(facts))))
        return Finding("no-solution", facts.host, "blocking", failure.message, remedy)
    if not isinstance(failure, Unobtainable):
        return None
    if _OF_REPOSITORIES not in failure.message:
        remedy = "; ".join(filter(None, (f"on the host: {remedies.sources}", _in_the_way(facts))))
        return Finding("package-unobtainable", facts.host, "blocking", failure.message, remedy)
    key = next(key for key, pattern in _REPOSITORIES if pattern.search(failure.message))
    remedy = f"see the repository's address, date and key, then on the host: {remedies.update}"
    return Finding(key, facts.host, "blocking", failure.message, remedy)


def _in_the_way(facts: HostFacts) -> str:
    """The holds and the files of pins that the host has; '' where there are none."""
    held = sorted({package.name for package in facts.packages if package.hold})
    at = family_of(facts.os.manager).repositories.pins
    pins = [source.path for source in facts.sources if at and source.path.startswith(at)]
    kinds = (("held there", held), ("pins in", pins))
    return "; ".join(f"{words}: {some(names)}" for words, names in kinds if names)

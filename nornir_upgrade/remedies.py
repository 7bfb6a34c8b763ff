"""Remedies: what is typed on a host to see to its packages, in the words of its family's tools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remedies:
    """`tool` decides what is installed. `mend` puts right what an interrupted one left, `try_out` says what would be done,
    `sources` where packages come from, and what keeps some of them away. `release` takes holds off the names after it."""

    tool: str
    mend: str
    try_out: str
    sources: str
    release: str

    def unhold(self, names: Sequence[str]) -> str:
        """What takes the holds off these packages."""
        return f"on the host: {self.release} {' '.join(names)}"


REMEDIES: Mapping[str, Remedies] = {
    # apt-mark(8), apt-cache(8)
    "deb": Remedies(
        tool="apt",
        mend="on the host: dpkg --configure -a; dpkg --audit",
        try_out="see what it conflicts with: apt-get -s install, with the new repository",
        sources="on the host: apt-cache policy; is there a pin?",
        release="apt-mark unhold",
    ),
    # dnf(8), and dnf-versionlock(8)
    "rpm": Remedies(
        tool="dnf",
        mend="on the host: dnf remove --duplicates, and dnf reinstall of what was left halfway",
        try_out="see what it conflicts with: dnf --assumeno install, with the new repository",
        sources="on the host: dnf repolist -v; is there an excludepkgs, or a priority?",
        release="dnf versionlock delete",
    ),
}
"""By family."""

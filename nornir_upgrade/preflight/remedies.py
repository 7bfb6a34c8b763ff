"""Remedies: what is typed on a host to see to its packages, in the words of its family's tools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remedies:
    """`tool` decides what is installed. `mend` puts right what an interrupted one left, `try_out` says what would be done,
    `sources` where packages come from, and what keeps some of them away. `release` takes holds off the names after it. `update`
    asks the repositories again, `clean` frees room on disks, `beside` is what is put beside configuration that was edited."""

    tool: str
    mend: str
    try_out: str
    sources: str
    release: str
    update: str
    clean: str
    beside: str

    def unhold(self, names: Sequence[str]) -> str:
        """What takes the holds off these packages."""
        return f"on the host: {self.release} {' '.join(names)}"


REMEDIES: Mapping[str, Remedies] = {
    # apt-mark(8), apt-cache(8), dpkg(1)
    "deb": Remedies(
        tool="apt",
        mend="on the host: dpkg --configure -a; dpkg --audit",
        try_out="see what it conflicts with: apt-get -s install, with the new repository",
        sources="on the host: apt-cache policy; is there a pin?",
        release="apt-mark unhold",
        update="apt-get update",
        clean="apt-get clean; apt-get autoremove",
        beside=".dpkg-dist",
    ),
    # dnf(8), dnf-versionlock(8), and rpm(8)
    "rpm": Remedies(
        tool="dnf",
        mend="on the host: dnf remove --duplicates, and dnf reinstall of what was left halfway",
        try_out="see what it conflicts with: dnf --assumeno install, with the new repository",
        sources="on the host: dnf repolist -v; is there an excludepkgs, or a priority?",
        release="dnf versionlock delete",
        update="dnf --refresh makecache",
        clean="dnf clean packages; dnf autoremove",
        beside=".rpmnew",
    ),
}
"""By family."""

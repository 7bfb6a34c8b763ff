"""Harmless differences: rules, as data, each with its reason, for differences without meaning. No rule hides configuration.

Differences that a rule explains are counted and reported, but not restored: programs make these files anew.
"""

import re
from dataclasses import dataclass

from .places import Area


@dataclass(frozen=True, slots=True)
class HarmlessRule:
    """A rule for entries of `area`. `name`: a pattern of the whole name."""

    area: Area
    name: re.Pattern[str]
    why: str


def _rule(area: Area, name: str, why: str) -> HarmlessRule:
    return HarmlessRule(area, re.compile(name), why)


RULES: tuple[HarmlessRule, ...] = (
    _rule(
        "etc",
        r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-",
        "useradd(8) and its kin keep the text before the last change",
    ),
    _rule("etc", r"/etc/\.pwd\.lock", "an empty file that lckpwdf(3) locks"),
    _rule("etc", r"/etc/ld\.so\.cache", "ldconfig(8) makes it of the libraries that are there"),
    _rule("etc", r"/etc/\.etckeeper", "etckeeper notes modes and owners at each commit; these are compared themselves"),
    _rule("etc", r"/etc/mtab", "the list of mounted file systems"),
    _rule("etc", r"/etc/adjtime", "hwclock(8) notes the drift of the clock"),
    _rule("etc", r"/etc/udev/hwdb\.bin", "systemd-hwdb(8) makes it of the texts that are there"),
    _rule("etc", r"/etc/\.updated", "systemd notes when it last looked at /usr"),
    _rule("debconf", r"/var/cache/debconf/.*-old", "debconf keeps the text before the last change"),
)


def why_explained(area: str, name: str) -> str:
    """The reason why a difference there is harmless; '' if it is not."""
    return next((rule.why for rule in RULES if rule.area == area and rule.name.fullmatch(name)), "")

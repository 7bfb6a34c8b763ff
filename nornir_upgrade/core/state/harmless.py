"""Differences that say nothing of where a host is: rules, as data, each with its reason. No rule hides configuration.

What a rule explains is counted and told; it is not restored either, for programs make it anew.
"""

import re
from dataclasses import dataclass

from .places import Area


@dataclass(frozen=True, slots=True)
class Rule:
    """`name`: a pattern of the whole name in `area`."""

    area: Area
    name: re.Pattern[str]
    why: str


def _rule(area: Area, name: str, why: str) -> Rule:
    return Rule(area, re.compile(name), why)


RULES: tuple[Rule, ...] = (
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
    """The reason why a difference there says nothing; '' where it counts."""
    return next((rule.why for rule in RULES if rule.area == area and rule.name.fullmatch(name)), "")

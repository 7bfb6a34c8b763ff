"""The vital set: what must work at every moment of a transaction, so that somebody can log in and go on. Pure.

The lists, one a family, are of packages by name; what they depend on belongs to the set as well. A package that a
host does not have costs nothing.
"""

import re
from collections.abc import Iterable

from .transition import Offers, Slot, Transition

NAMES = frozenset(
    (
        *("libc6", "libc-bin", "zlib1g"),  # the C library and its loader
        *("dash", "bash", "zsh", "fish", "ksh93u+m", "mksh", "busybox"),  # shells, of scripts and of logins
        *(
            "coreutils",
            "findutils",
            "grep",
            "sed",
            "gzip",
            "diffutils",
            "debianutils",
            "mawk",
            "gawk",
            "util-linux",
            "hostname",
        ),
        *("tar", "dpkg", "apt", "perl-base", "base-files", "base-passwd", "ncurses-base", "mount", "procps"),
        *("libpam0g", "libpam-modules", "libpam-modules-bin", "libpam-runtime", "login", "passwd"),
        *(
            "libnss-systemd",
            "libpam-systemd",
            "libnss-ldapd",
            "libpam-ldapd",
            "libnss-sss",
            "libpam-sss",
            "sssd-common",
        ),
        *("sudo", "sudo-ldap", "doas", "openssh-server", "systemd", "systemd-sysv", "dbus", "init", "sysvinit-core"),
    )
)
RPM_NAMES = frozenset(
    (
        *("glibc", "glibc-common", "libxcrypt", "libgcc", "zlib", "zlib-ng-compat", "ncurses-libs", "readline"),
        *("bash", "dash", "zsh", "fish", "ksh", "mksh", "busybox"),
        *("coreutils", "coreutils-single", "findutils", "grep", "sed", "gawk", "gzip", "diffutils", "tar", "cpio"),
        *("util-linux", "util-linux-core", "procps-ng", "hostname", "setup", "filesystem", "shadow-utils"),
        *("rpm", "rpm-libs", "dnf", "python3", "python3-libs", "python3-dnf", "python3-rpm", "libdnf"),
        *("pam", "pam-libs", "authselect", "sssd-client", "sssd-common", "nss-pam-ldapd", "sudo", "opendoas"),
        *("openssh", "openssh-server", "openssl-libs", "systemd", "systemd-libs", "systemd-pam", "dbus", "dbus-broker"),
    )
)
"""The same set, by the names of Red Hat's kin."""
RPM_PATTERN = "|".join(
    ("lib.*", ".*-libs", "python[0-9.]*-(lib|hawkey).*", *sorted(re.escape(name) for name in RPM_NAMES))
)
"""The names of what belongs to it, or may be a library that it depends on."""
LOADER, RPM_LOADER = frozenset(("libc6", "libgcc-s1")), frozenset(("glibc", "libgcc"))
"""Who depends on these does not start without them: that may be false at no moment, whatever else is exchanged in lockstep."""


def protected(transition: Transition) -> frozenset[Slot]:
    """The slots of the vital set, and of all that it depends on before or after."""
    worlds = [(world, Offers(world.values(), transition.native)) for world in (transition.before, transition.after)]
    due = [slot for slot in transition.before.keys() | transition.after.keys() if slot.name in NAMES]
    found: set[Slot] = set()
    while due:
        slot = due.pop()
        if slot in found:
            continue
        found.add(slot)
        for world, offers in worlds:
            if owner := world.get(slot):
                due += [transition.slot(deb) for demand in owner.depends for deb in offers.satisfying(demand, owner)]
    return frozenset(found)


def concerned(names: Iterable[str]) -> bool:
    """Whether a change of rpm packages with these names may touch the vital set, or a library that it depends on."""
    return any(re.fullmatch(RPM_PATTERN, name) for name in names)

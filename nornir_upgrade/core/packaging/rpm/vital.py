"""The vital set of rpm hosts: packages without which nobody can log in, or install packages. Pure."""

import re
from collections.abc import Iterable

NAMES = frozenset(
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
PATTERN = "|".join(("lib.*", ".*-libs", "python[0-9.]*-(lib|hawkey).*", *sorted(re.escape(name) for name in NAMES)))
"""The names of what belongs to it, or may be a library that it depends on."""
LOADER = frozenset(("glibc", "libgcc"))
"""As `LOADER` of Debian."""


def concerned(names: Iterable[str]) -> bool:
    """Whether a change of rpm packages with these names may touch the vital set, or a library that it depends on."""
    return any(re.fullmatch(PATTERN, name) for name in names)

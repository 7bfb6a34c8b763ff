"""Vital set: the packages that must work at every moment of a transaction, so that somebody can log in and continue. Pure.

Each family lists packages by name. Their dependencies belong to the set as well. A listed package that a host does not have
costs nothing.
"""

from .transition import DebProviders, Slot, Transition

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
LOADER = frozenset(("libc6", "libgcc-s1"))
"""Who depends on these does not start without them: that may be false at no moment, whatever else is exchanged in lockstep."""


def protected(transition: Transition) -> frozenset[Slot]:
    """The slots of the vital set, and of all that it depends on before or after."""
    worlds = [
        (world, DebProviders(world.values(), transition.native)) for world in (transition.before, transition.after)
    ]
    due = [slot for slot in transition.before.keys() | transition.after.keys() if slot.name in NAMES]
    slots: set[Slot] = set()
    while due:
        slot = due.pop()
        if slot in slots:
            continue
        slots.add(slot)
        for world, offers in worlds:
            if owner := world.get(slot):
                due += [transition.slot(deb) for demand in owner.depends for deb in offers.satisfying(demand, owner)]
    return frozenset(slots)

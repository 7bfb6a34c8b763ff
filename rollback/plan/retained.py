"""Retained packages: differences from the snapshot that belong to packages which are kept in another version, or at all. Pure.

A thing belongs to a package if the package holds it, or if it has the name of the package, its service or its user. All else
counts as a difference, such as files that a script of a downgraded package left behind.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nornir_upgrade.core.facts.compare import Difference
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.state.places import AREAS as BESIDE
from nornir_upgrade.core.state.places import records_of
from rollback.manifest.model import STAYS, Manifest

from .scope import scope

_ABSENT = "absent"
_ACCOUNTS = ("user ", "group ")
_BEFORE = "(?:(?<![a-zA-Z0-9])|/[SK][0-9][0-9])"  # a word begins, or a link of update-rc.d(8) to one
_IMAGE = re.compile("linux-image-(?:unsigned-)?([0-9].*)")
_KERNELS = ("kernel", "kernel-core")
_LOADER = ("/boot/grub", "/boot/loader")  # the menu of all kernels


@dataclass(frozen=True, slots=True)
class Theirs:
    """What belongs to packages that are kept on a host: `paths` that they hold, names of their `users`, and `names` of packages,
    services and users as they occur in paths. `kernels`: whether one of them is a kernel.
    """

    paths: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    kernels: bool = False

    def __bool__(self) -> bool:
        """Whether there are such packages."""
        return bool(self.names)

    def tells(self, difference: Difference) -> bool:
        """Whether the difference belongs to them. Files of records, such as passwd, do: other modules compare single records."""
        if not self or difference.area not in BESIDE:
            return False
        if difference.name.startswith(_ACCOUNTS):
            return self._account(difference)
        if records_of(difference.name):
            return True
        if self.kernels and difference.name.startswith(_LOADER):
            return True
        return self._held(difference.name) or any(map(self._named, self._words(difference)))

    def _account(self, difference: Difference) -> bool:
        kind, _, name = difference.name.partition(" ")
        if name in self.users | self.names:
            return True
        return kind == "group" and self._only_members(difference.before, difference.after)

    def _only_members(self, before: str, after: str) -> bool:
        """Whether a group of others differs only in members that are their users."""
        (then, _, had), (now, _, has) = before.partition(":"), after.partition(":")
        return then == now != _ABSENT and set(had.split(",")) ^ set(has.split(",")) <= self.users | {""}

    def _held(self, path: str) -> bool:
        return any(path == held or path.startswith(f"{held}/") for held in self.paths)

    def _words(self, difference: Difference) -> tuple[str, ...]:
        """The texts that may contain one of their names: also the value of a choice or a diversion, and the two words of a cluster."""
        values = (
            (difference.before, difference.after)
            if difference.area in ("alternatives", "diversions", "statoverrides")
            else ()
        )
        return (difference.name, difference.name.replace(" ", "-"), *values)

    def _named(self, text: str) -> bool:
        return any(re.search(rf"{_BEFORE}{re.escape(name)}(?![a-zA-Z0-9])", text) for name in self.names)


def theirs(manifest: Manifest, then: HostFacts, now: HostFacts) -> Theirs:
    """What belongs to the packages that are kept on the host of `manifest`, or of which only configuration is left."""
    about = scope(manifest, then, now)
    held = [record.partition(" ") for record in about.held]
    users = frozenset(name for word, _, name in held if word == "user")
    kernels = frozenset(_kernels(manifest, then))
    return Theirs(
        frozenset(path for path in about.held if path.startswith("/")),
        users,
        about.known | kernels,
        bool(kernels),
    )


def _kernels(manifest: Manifest, then: HostFacts) -> Iterator[str]:
    """The releases of kernels that are kept though the snapshot does not have them, as in the names of files in /boot."""
    before = {(package.name, package.version) for package in then.packages if package.unpacked}
    for change in manifest.changes:
        if change.action in STAYS and change.installed and (change.name, change.installed) not in before:
            if match := _IMAGE.match(change.name):
                yield match[1]
            elif change.name in _KERNELS:
                yield change.installed.rpartition(":")[2]

"""Exact: the way back if every old version is available, a set difference; and the change of one package. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import Package, PackageName
from nornir_upgrade.core.version.evr import Flavour, sort_key
from rollback.foreign.packages import NOBODYS, Foreign
from rollback.manifest.identity import flavour_of, slots
from rollback.manifest.model import Action, Change, Manifest, Problem
from rollback.packaging.candidate import Catalog


class Solver(Protocol):
    """Computes the way from one state of a host to another with the available versions."""

    def __call__(
        self, then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], foreign: Foreign = NOBODYS
    ) -> Manifest:
        """The manifest that leads from `now` to `then`; with `problems` if there is none. `foreign` packages stay if they can.

        Pure and deterministic.
        """
        ...


def exact(then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str]) -> Manifest:
    """The manifest that leads to exactly the packages of `then`: the set difference.

    A version that is not in `offered` makes its package `unobtainable`, with one problem that names all of them.
    """
    apart, flavour = slots(then, now, offered), flavour_of(now)
    before, present = apart.by_key(then.packages), apart.by_key(now.packages)
    changes = tuple(
        change_of(before.get(key), present.get(key), key, offered, flavour)
        for key in sorted(before.keys() | present.keys())
    )
    lost = tuple(f"{c.name}={c.target}" for c in changes if c.action == "unobtainable")
    return Manifest(now.host, now.os.family, to, changes, (_unobtainable(lost),) if lost else ())


def change_of(
    then: Package | None, now: Package | None, key: PackageName, offered: Catalog, flavour: Flavour = "deb"
) -> Change:
    """The change of one package from `now` to `then`; `None`: the package is absent."""
    installed = now.version if now and now.unpacked else ""
    change = Change(key.name, key.arch, "keep", installed, key.name, "", slot=key.version)
    if then is None:
        return replace(change, action="remove", why=_why_removed(now))
    change = replace(change, target=then.version, auto=then.auto, hold=then.hold)
    if then.state == "config-files":
        return _leave_configuration(replace(change, auto=False, hold=False), then, now, offered)
    if now is not None and _stays(now, then):
        return replace(change, action="held" if then.hold else "keep", why=_why_kept(now))
    candidate = offered.find(key.name, key.arch, then.version)
    if candidate is None:
        return replace(change, action="unobtainable", why=f"no repository offers {then.version}")
    direction = _direction(installed, then.version, flavour)
    why = _why_fetched(now)
    return replace(change, action=direction, origin=candidate.origin, from_escrow=candidate.escrowed, why=why)


def _leave_configuration(change: Change, then: Package, now: Package | None, offered: Catalog) -> Change:
    """The change to the state that the package had before: removed, with its configuration left."""
    if now is not None and now.version == then.version and now.state == "config-files":
        return replace(change, action="keep", why="only its configuration is there, as before")
    if change.installed == then.version:
        return replace(change, action="remove", why="only its configuration was there before")
    candidate = offered.find(change.name, change.arch, then.version)
    if candidate is None:
        return replace(change, action="unobtainable", why=f"no repository offers {then.version}")
    why = "only its configuration was there before: installed at that version, then removed"
    return replace(change, action="remove", origin=candidate.origin, from_escrow=candidate.escrowed, why=why)


def _stays(now: Package, then: Package) -> bool:
    """Whether the bytes on the host are the right ones, so that dpkg need at most configure them."""
    return now.version == then.version and now.state not in ("config-files", "half-installed") and not now.broken


def _direction(installed: str, target: str, flavour: Flavour) -> Action:
    if not installed or installed == target:
        return "install"
    return "upgrade" if sort_key(installed, flavour) < sort_key(target, flavour) else "downgrade"


def _why_removed(now: Package | None) -> str:
    rest = now is not None and not now.unpacked
    return "not there before; only its configuration is left" if rest else "not there before"


def _why_kept(now: Package) -> str:
    return "" if now.state == "installed" else f"is {now.state} now: will be configured"


def _why_fetched(now: Package | None) -> str:
    if now is None or not now.unpacked:
        return "gone since"
    if now.broken or now.state == "half-installed":
        return f"is {now.state} now: will be unpacked again"
    return "held since, which is lifted for the way back" if now.hold else "changed since"


def _unobtainable(lost: tuple[str, ...]) -> Problem:
    return Problem(
        "unobtainable",
        tuple(package.partition("=")[0] for package in lost),
        f"no repository offers {', '.join(lost)}",
        "look for it in caches with rollback escrow fetch --run RUN, or make a repository with these versions available to the host",
    )

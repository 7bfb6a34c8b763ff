"""Target: the way of a machine that is known from files alone, to a release or to an older list. Pure.

Every installed package is in the manifest once. An old version that is not available is a problem of the manifest.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.packaging.format import format_of
from nornir_upgrade.core.version import evr
from rollback.manifest.model import Action, Change, Manifest, Problem
from rollback.packaging.candidate import Offer
from rollback.packaging.listing import Listed, Listing
from rollback.packaging.registry import judgement_of

from .offers import Offers

_REINSTALL = ("half-installed", "must be reinstalled")


@dataclass(frozen=True, slots=True)
class Rename:
    """Packages whose name contains `now` had `then` in its place before."""

    now: str
    then: str

    def of(self, name: str) -> str:
        """The old name of `name`: the first occurrence of `now` is replaced."""
        return name.replace(self.now, self.then, 1)


@dataclass(frozen=True, slots=True)
class Target:
    """The goal: the newest versions of `release`, or the packages of the list `target`; both, if the list has no versions.

    `only`: globs of the packages to change; empty: all.
    """

    release: str = ""
    target: Listing | None = None
    renames: tuple[Rename, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def to(self) -> dict[str, str]:
        """The goal in the form of `Manifest.to`."""
        return ({"release": self.release} if self.release else {}) | (
            {"target": self.target.source} if self.target else {}
        )

    def wants(self, name: str) -> bool:
        """Whether the package is among those to be changed."""
        return not self.only or any(fnmatchcase(name, pattern) for pattern in self.only)

    def old_name(self, name: str) -> str:
        """The old name of the package, by the first rename that applies; its own name if none does."""
        return next((rename.of(name) for rename in self.renames if rename.now in name), name)


def rename(text: str) -> Rename:
    """The rename that `NOW=THEN` writes. Raises `InvalidInput` if a part is empty or cannot be in the name of a package."""
    now, _, then = text.partition("=")
    for part in (now, then):
        if not part or not all(char.isalnum() or char in "+-._" for char in part):
            raise InvalidInput(f"{text!r} is no rename", hint="NOW=THEN, as neutron=quantum")
    return Rename(now, then)


def way_back(host: str, installed: Listing, offers: Offers, aim: Target) -> Manifest:
    """The manifest that takes the packages of `installed` to `aim`, as far as the versions are offered.

    Problems: `unobtainable`, `duplicate` (two versions of a package, as a killed rpm leaves them), `unread` (a line of a list that
    may stand for a package). Raises `UnknownName` if no repository belongs to the release.
    """
    if aim.release:
        offers.require(aim.release)
    names = frozenset(package.name for package in installed)
    steps = _Steps(installed, offers, aim, names)
    changes = sorted(steps.changes(), key=lambda change: (change.name, change.arch, change.installed))
    problems = (*_unobtainable(changes), *_duplicates(installed, aim), *_unread(installed, aim.target))
    return Manifest(host, installed.family, aim.to, tuple(changes), problems)


@dataclass(frozen=True, slots=True)
class _Steps:
    installed: Listing
    offers: Offers
    aim: Target
    names: frozenset[str]

    def changes(self) -> Iterator[Change]:
        """One for each installed package, then one for each package of the target that is not installed."""
        met: set[Listed] = set()
        taken: set[tuple[str, str]] = set()
        for now in self.installed:
            change, then = self._account(now)
            if change.action == "rename":
                key = (change.target_name, change.arch)
                if change.target_name in self.names or key in taken:
                    why = f"was {change.target_name} then, which another package comes back as"
                    change = replace(change, action="remove", target_name=change.name, target="", origin="", why=why)
                taken.add(key)
            met |= {then} if then else set()
            yield change
        for then in self.aim.target or ():
            if then not in met and self.aim.wants(then.name):
                yield self._come_back(then)

    def _account(self, now: Listed) -> tuple[Change, Listed | None]:
        change = self._change(now, "keep", now.version)
        then = self._then(now)
        if not self.aim.wants(now.name):
            return replace(change, why="not asked for"), then
        if self.aim.target is not None:
            if then is None:
                return replace(change, action="remove", target="", hold=False, why="not there before"), None
            return self._reach(replace(change, hold=then.hold), now, then.name, then.version), then
        if now.hold:
            return replace(change, action="held", why="on hold: the administrator keeps its version"), None
        if self._kernel(now):
            return replace(change, why="versions of it stand side by side: none is taken back"), None
        return self._reach(change, now, self.aim.old_name(now.name), ""), None

    def _reach(self, change: Change, now: Listed, name: str, version: str) -> Change:
        """`change` towards `version` of what is called `name` then; '' is the newest of the release."""
        offer = self._offer(name, now.arch, version)
        change = replace(change, target_name=name, target=version or (offer.version if offer else ""))
        broken = any(word in now.trouble for word in _REINSTALL)
        if name == now.name and now.version and now.version == change.target and not broken:
            why = f"is {now.trouble} now: will be configured" if now.trouble else ""
            return replace(change, action="held" if change.hold else "keep", why=why)
        if offer is None:
            return replace(change, action="unobtainable", why=self._why_not(name, now.arch, version))
        change = replace(change, arch=change.arch if now.arch else offer.arch or change.arch, origin=offer.origin)
        if name != now.name:
            return replace(change, action="rename", why=f"called {name} then")
        return replace(
            change, action=self._direction(now.version, offer.version), why=now.trouble and f"is {now.trouble} now"
        )

    def _come_back(self, then: Listed) -> Change:
        offer = self._offer(then.name, then.arch, then.version)
        change = replace(self._change(then, "install", ""), why="gone since")
        if offer is None:
            return replace(change, action="unobtainable", why=self._why_not(then.name, then.arch, then.version))
        return replace(change, target=offer.version, origin=offer.origin)

    def _change(self, package: Listed, action: Action, installed: str) -> Change:
        slot = package.version if self._kernel(package) else ""
        change = Change(package.name, self._arch(package), action, installed, package.name, package.version, slot=slot)
        return replace(change, auto=package.auto, hold=package.hold)

    def _kernel(self, package: Listed) -> bool:
        """Whether several versions of the package are installed side by side."""
        return _several(self.installed, package.name)

    def _then(self, now: Listed) -> Listed | None:
        """The package of the target that `now` was: of its own name, else of its old one. Kernels must be the very version."""
        kernel = self._kernel(now)
        for name in dict.fromkeys((now.name, self.aim.old_name(now.name))):
            for then in self.aim.target or ():
                if then.name == name and self._same_arch(then, now) and (not kernel or then.version == now.version):
                    return then
        return None

    def _same_arch(self, package: Listed, other: Listed) -> bool:
        archs = {self._arch(package), self._arch(other)}
        return len(archs) == 1 or "" in archs or bool(archs & {"all", "noarch"})

    def _offer(self, name: str, arch: str, version: str) -> Offer | None:
        own = arch or self._bare
        return self.offers.exactly(name, own, version) if version else self.offers.newest(name, own, self.aim.release)

    @property
    def _bare(self) -> str:
        """The architecture that a name without one means; '' is any."""
        return self.offers.native if judgement_of(self.installed.family).bare_is_native else ""

    def _arch(self, package: Listed) -> str:
        return package.arch or self._bare

    def _direction(self, now: str, then: str) -> Action:
        if not now:
            return "downgrade"  # its version now is not known; that of an older release is what was asked for
        one, other = (evr.found(version, format_of(self.installed.family).flavour) for version in (now, then))
        difference = evr.compare(one, other)
        return "upgrade" if difference < 0 else "downgrade" if difference > 0 else "install"

    def _why_not(self, name: str, arch: str, version: str) -> str:
        wanted = f"{name} {version}".rstrip() + (
            f" from {self.aim.release}" if self.aim.release and not version else ""
        )
        others = dict.fromkeys(offer.version for offer in self.offers.of(name, arch))
        known = f"offered are only {', '.join(others)}" if others else f"the files offer no version of {name} at all"
        return f"no {wanted}: {known}"


# ---------------------------------------------------------------------- what is known now


def completed(listing: Listing, known: Iterable[tuple[str, str, str]], offers: Offers) -> Listing:
    """`listing` with the versions and epochs that its file lacks, taken from `known` (name, arch, version) or `offers`."""
    policy = {(name, arch or offers.native): version for name, arch, version in known}
    return replace(listing, packages=tuple(_complete(package, policy, offers) for package in listing))


def _complete(package: Listed, policy: dict[tuple[str, str], str], offers: Offers) -> Listed:
    version = policy.get((package.name, package.arch if package.arch not in ("", "all") else offers.native), "")
    if not package.version:
        return replace(package, version=version)
    if package.epoch_told:
        return package
    if version.partition(":")[2] == package.version:
        return replace(package, version=version)
    return replace(package, version=offers.with_epoch(package.name, package.arch, package.version))


def contradictions(listing: Listing, known: Iterable[tuple[str, str, str]], native: str) -> Iterator[str]:
    """A line for each package whose installed version differs between list and policy: their moments differ."""
    if format_of(listing.family).several:
        return  # the policy may name another of the versions that stand side by side
    policy = {(name, arch or native): version for name, arch, version in known}
    for package in listing:
        version = policy.get((package.name, package.arch if package.arch not in ("", "all") else native), "")
        if package.version and version and version != package.version:
            yield f"{package.name}: {listing.source} says {package.version} is installed, the policy {version}"


# ---------------------------------------------------------------------- problems


def _unobtainable(changes: Iterable[Change]) -> Iterator[Problem]:
    lost = [change for change in changes if change.action == "unobtainable"]
    if lost:
        yield Problem(
            "unobtainable",
            tuple(change.name for change in lost),
            "\n".join(("cannot be taken back:", *(f"  {change.name}: {change.why}" for change in lost))),
            "give the files of a repository that has them (--policy, --index), or see to them by hand",
        )


def _duplicates(installed: Listing, aim: Target) -> Iterator[Problem]:
    counts = Counter(
        (package.name, package.arch)
        for package in installed
        if not _several(installed, package.name) and aim.wants(package.name)
    )
    twice = tuple(sorted({name for (name, _), count in counts.items() if count > 1}))
    if twice:
        text = f"more than one version is installed of {', '.join(twice)}: a transaction was cut off"
        yield Problem("duplicate", twice, text, "remove the duplicates first: dnf remove --duplicates")


def _several(listing: Listing, name: str) -> bool:
    """Whether several versions of the package may be installed side by side."""
    return judgement_of(listing.family).protection.several(name)


def _unread(*listings: Listing | None) -> Iterator[Problem]:
    for listing in listings:
        for note in listing.unread if listing else ():
            text = f"{listing.source}, line {note.line}: {note.text}" if listing else ""
            yield Problem("unread", (), text, "a package may stand behind that line: mend the list and compute again")

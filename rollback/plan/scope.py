"""The scope of a way back: what it restores beside packages. A whole one undoes all that runs changed; a partial one restores what
belongs to the packages that it moves. Configuration follows its package: if a package keeps its newer version, so do its conffiles.
Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from nornir_upgrade.core.facts.gather import Conffile, HostFacts
from nornir_upgrade.core.state.places import place_of, records_of
from nornir_upgrade.steps.files import RestoreFiles
from nornir_upgrade.steps.state import RestoreState
from rollback.manifest.model import STAYS, Change, Manifest, slots_in
from rollback.packaging.registry import judgement_of

from .undo_log import Trail

_PREFIX = "openstack-"


ENDINGS = (".rpmnew", ".rpmsave", ".rpmorig")
_ALL = (*ENDINGS, ".dpkg-dist", ".dpkg-old", ".ucf-dist", ".ucf-old")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a way back restores on one host.

    `only`: the patterns of a partial way back; a whole one has none. `moving`: names of packages that change. `staying`: of packages
    that are kept though the snapshot has another version or none. `gone`: of packages of the snapshot that will not be there.
    `inside`, `outside`: the conffiles that are restored, and the others. `units`: whether packages may hold units of other names.
    `held`: what belongs to packages that are kept or leave data: paths, `service NAME`, `user NAME`. `left`: names of those that
    leave data. `newer`: whether a package of the snapshot or of a run is kept in another version, so that nobody asked what it holds.
    `fresh`: conffiles that their package did not have in the snapshot.
    """

    only: tuple[str, ...]
    moving: frozenset[str]
    staying: frozenset[str]
    gone: frozenset[str]
    inside: frozenset[str] = frozenset()
    outside: frozenset[str] = frozenset()
    units: bool = False
    held: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    newer: bool = False
    fresh: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """The names of packages that are kept or leave data, of their services and of their users."""
        words = (record.partition(" ") for record in self.held)
        own = frozenset(name.rstrip("@") for word, _, name in words if word in ("user", "service"))
        return self.staying | self.left | own

    @property
    def whole(self) -> bool:
        """Whether the way back restores all of the host."""
        return not self.only

    def names(self, name: str) -> bool:
        """Whether the service or database `name` is restored: it matches a pattern, or has the name of a package that changes."""
        return self.whole or self.called(name, self.moving) or self._asked(name)

    def called(self, name: str, packages: frozenset[str]) -> bool:
        """Whether a service or database has the name of one of `packages`. Units of an rpm package have names that begin with its own;
        RDO puts `openstack-` before names of packages more often than before names of units.
        """
        if name in packages or not self.units:
            return name in packages
        parts = name.removeprefix(_PREFIX).split("-")
        stems = {package.removeprefix(_PREFIX) for package in packages}
        return any("-".join(parts[:count]) in stems for count in range(1, len(parts) + 1))

    def holds(self, service: str) -> bool:
        """Whether the service belongs to a package that is kept though the snapshot does not have it."""
        template = f"service {service.partition('@')[0]}@"
        return f"service {service}" in self.held or ("@" in service and template in self.held)

    def spares(self, path: str) -> bool:
        """Whether the file at the path belongs to such a package."""
        return any(_below(path, root) for root in self.held if root.startswith("/"))

    def configures(self, package: str) -> bool:
        """Whether the configuration of the package is restored with it."""
        return package not in self.staying | self.left and (
            self.whole or package in self.moving or self._asked(package)
        )

    def _asked(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.only)

    def trail(self, left: Trail) -> Trail:
        """The part of `left` that is restored. A partial way back adds old repositories, and removes none."""
        restored = replace(
            left,
            captures=self._narrowed(left.captures),
            edits=self._narrowed(left.edits),
            state=self._state(left),
        )
        if self.whole:
            return restored
        return replace(
            restored,
            repositories=tuple(step for step in left.repositories if step.text is not None or step.digest),
            databases=tuple(step for step in left.databases if self.names(step.database)),
            others=(),
            services=tuple(filter(self.names, left.services)),
        )

    def _state(self, left: Trail) -> RestoreState | None:
        """The restore of the state beside packages. A whole way back restores the paths that the runs changed, without the conffiles of
        packages that are kept. A partial one restores the conffiles of its packages, files beside them, and the trees that the
        scenario named for them. Accounts of packages that are kept stay.
        """
        if left.state is None:
            return None
        since = tuple(file for file in left.left if place_of(file.path) and records_of(file.path))
        held = {path for path in self.held if path.startswith("/")}
        keep = self.newer or bool(self.held and left.changed is None)
        restore = replace(
            left.state,
            since=since,
            spared=tuple(sorted(self.outside | held)),
            keep=keep,
            keeps=() if keep else tuple(sorted(self.known)),
            fresh=tuple(sorted(self.fresh & self.inside - held)),
        )
        if self.whole:
            return replace(restore, only=None if left.changed is None else tuple(sorted(left.changed | _named(left))))
        trees = (part for root in left.state.configuration for part in self._parts(root, self.outside))
        paths = with_beside(path for path in self.inside if place_of(path))
        return replace(
            restore, only=tuple(sorted(paths | {f"{tree}/" for tree in trees if tree not in self.inside})), keep=True
        )

    def _narrowed(self, steps: tuple[RestoreFiles, ...]) -> tuple[RestoreFiles, ...]:
        outside = frozenset(path for path in self.outside if not self.spares(path))
        if self.whole and not outside:
            return tuple(map(self._sparing, steps))
        narrowed = []
        for step in steps:
            roots = tuple(part for root in step.roots for part in self._parts(root, outside))
            entries = tuple(file for file in step.entries if any(_below(file.path, root) for root in roots))
            narrowed += [self._sparing(RestoreFiles(roots, entries))] if roots else []
        return tuple(narrowed)

    def _sparing(self, step: RestoreFiles) -> RestoreFiles:
        """`step`, which spares the paths below its roots that belong to packages that are kept."""
        held = (path for path in self.held if path.startswith("/"))
        spared = tuple(sorted(path for path in held if any(_below(path, root) for root in step.roots)))
        return replace(step, spare=spared) if spared else step

    def _parts(self, root: str, outside: frozenset[str]) -> tuple[str, ...]:
        """What of a root is restored: all, its conffiles, or nothing. A root without conffiles is matched by its own name."""
        inside = tuple(sorted(path for path in self.inside if _below(path, root)))
        if any(_below(path, root) for path in outside):
            return inside
        return (root,) if inside or self.names(root.rpartition("/")[2]) else ()


def scope(manifest: Manifest, then: HostFacts, now: HostFacts) -> Scope:
    """What the way back by `manifest` restores on its host."""
    apart = slots_in(manifest)
    before = {
        key: package.version
        for key, package in apart.by_key(package for package in then.packages if package.unpacked).items()
    }
    moving, staying, gone, left, newer = set[str](), set[str](), set[str](), set[str](), False
    for change in manifest.changes:
        old = before.get(change.key, "")
        if change.action not in STAYS:
            moving |= {change.name, change.target_name}
        elif change.installed and old != change.installed:
            staying.add(change.name)
            newer = newer or not change.foreign
        if old and (change.action == "remove" or (change.action in STAYS and not change.installed)):
            gone.add(change.name)
        if change.target and (change.data or change.foreign) and _leaves(change):
            left.add(change.name)
    held = frozenset(item for change in manifest.changes for item in change.holds)
    only = tuple(manifest.to.get("only", "").split())
    about = Scope(
        only, frozenset(moving), frozenset(staying), frozenset(gone), held=held, left=frozenset(left), newer=newer
    )
    owners = owners_of([*then.conffiles, *now.conffiles])
    inside = frozenset(path for path, package in owners.items() if about.configures(package))
    known = {(conffile.path, conffile.package) for conffile in then.conffiles}
    fresh = frozenset(
        conffile.path
        for conffile in now.conffiles
        if not {(conffile.path, conffile.package), (conffile.path, "")} & known
    )
    return replace(
        about,
        inside=inside,
        outside=frozenset(owners) - inside,
        fresh=fresh,
        units=judgement_of(manifest.family).own_units,
    )


def _leaves(change: Change) -> bool:
    """Whether only its configuration will be left."""
    return change.action == "remove" or (change.action in STAYS and not change.installed)


def _named(left: Trail) -> frozenset[str]:
    """The trees that the scenario named: they are restored as a whole."""
    roots = left.state.configuration if left.state else ()
    return frozenset(f"{root.rstrip('/')}/" for root in roots if place_of(root) is None)


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def owners_of(conffiles: Iterable[Conffile]) -> Mapping[str, str]:
    """The package of each path; the last one, if several have it. A file beside a conffile belongs to its package."""
    packages: dict[str, str] = {}
    for conffile in conffiles:
        packages[conffile.path] = conffile.package or packages.get(conffile.path, "")
    return {path: package or packages.get(beside(path), "") for path, package in packages.items()}


def beside(path: str) -> str:
    """The configuration file that this one stands beside; '' where it is no such."""
    return next((path.removesuffix(ending) for ending in ENDINGS if path.endswith(ending)), "")


def with_beside(paths: Iterable[str]) -> frozenset[str]:
    """The configuration files, and the files that package managers may leave beside them."""
    return frozenset(path + ending for path in paths for ending in ("", *_ALL))


def litter(then: HostFacts, now: HostFacts, packages: Collection[str]) -> tuple[str, ...]:
    """Paths beside the configuration files of these packages where the way back may leave files that were not there before."""
    endings = judgement_of(now.os.family).beside
    owners = owners_of([*then.conffiles, *now.conffiles])
    before = {conffile.path for conffile in then.conffiles if conffile.digest}
    files = sorted(path for path, package in owners.items() if package in packages and not beside(path))
    return tuple(path_beside for path in files for ending in endings if (path_beside := path + ending) not in before)

"""Nearest: the `Solver` that decides which old version of each package is chosen. Pure.

1. `exact`: every package at its version in the snapshot. Chosen if all these versions are available and consistent.
2. `problem.scene_of`: otherwise, all available versions and their demands, as clauses (`encoding`).
3. `_choose_versions`: `maxsat.choose_nearest` returns the best consistent set by `preferences`. Without python-sat,
   `greedy.choose_consistent` returns a consistent set, with a note that nobody proved it the nearest.
4. `explain` finds the reasons for each deviation, and `decode.manifest_of` writes the choice as a manifest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import PackageName
from rollback.foreign.packages import NOBODYS, Foreign
from rollback.manifest.model import Manifest, Problem
from rollback.packaging.candidate import Catalog
from rollback.packaging.clauses import Reason

from .decode import manifest_of
from .encoding import Encoding
from .exact import exact
from .greedy import choose_consistent
from .guests import Guests, guests, marked
from .preferences import PackageGoal
from .problem import Missing, scene_of

_Reasons = Mapping[PackageName, tuple[Reason, ...]]
_Chosen = tuple[frozenset[int], _Reasons, tuple[Problem, ...]]

_NO_ENGINE = Problem(
    "not-proven",
    (),
    "consistent, but not proven nearest: python-sat, which would find the optimum and all reasons, is not installed",
    "pip install 'nornir-upgrade[solver]'",
)


@dataclass(frozen=True, slots=True)
class Nearest:
    """A `Solver` by policy.

    `missing`: what to do if a version of the snapshot is not available: `keep` the package as it is, with what it needs; `remove`
    packages that cannot be exact; or `fail`. `only`: glob patterns; the changes are the fewest that take matching packages back.
    """

    missing: Missing = "keep"
    only: tuple[str, ...] = ()

    def __call__(
        self, then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], foreign: Foreign = NOBODYS
    ) -> Manifest:
        """The manifest to the nearest state; with `problems` if there is none, or if policy allows only the exact state.

        `foreign` packages stay, as if the snapshot had them, unless the packages that are taken back exclude them.
        """
        hosting = guests(then, now, offered, foreign, missing=self.missing, only=self.only)
        return marked(self._manifest(hosting, now, offered, to), hosting, foreign, now)

    def _manifest(self, hosting: Guests, now: HostFacts, offered: Catalog, to: Mapping[str, str]) -> Manifest:
        then, keys = hosting.then, hosting.keys
        straight = exact(then, now, offered, to)
        if not self.only and not straight.problems and self._is_consistent(then, now, offered, keys):
            return straight
        scene = scene_of(then, now, offered, missing=self.missing, only=self.only, guests=keys)
        wanted = scene.wanted
        broken = scene.encoding.violated(wanted)
        answer = (wanted, {}, ()) if not broken else _choose_versions(scene.encoding, scene.aims)
        if isinstance(answer, Problem):
            return replace(straight, problems=(*straight.problems, answer))
        manifest = manifest_of(scene, *answer, straight, offered)
        if self.missing == "fail" and manifest.deviations:
            return replace(manifest, problems=manifest.deviations, deviations=())
        return manifest

    def _is_consistent(self, then: HostFacts, now: HostFacts, offered: Catalog, keys: frozenset[PackageName]) -> bool:
        """Whether the packages of `then` can be installed together."""
        scene = scene_of(then, now, offered, missing=self.missing, straight=True, guests=keys)
        return not scene.encoding.violated(scene.wanted)


def _choose_versions(encoding: Encoding, aims: Sequence[PackageGoal]) -> _Chosen | Problem:
    """The variables of the chosen versions, the reasons for each package that deviates, and notes; a problem if no set is
    consistent.
    """
    try:
        from .explain import contradiction, explain
        from .maxsat import choose_nearest
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pysat":
            raise
        return _choose_without_sat(encoding, aims)
    chosen = choose_nearest(encoding, aims)
    if chosen is None:
        return _inconsistent(contradiction(encoding))
    return chosen, explain(encoding, aims, chosen), ()


def _choose_without_sat(encoding: Encoding, aims: Sequence[PackageGoal]) -> _Chosen | Problem:
    consistent = choose_consistent(encoding, aims)
    if consistent is not None:
        return *consistent, (_NO_ENGINE,)
    return Problem(
        "no-optimiser",
        (),
        "the exact state is not consistent or not to be had, and without python-sat no consistent one was found near it: "
        "the host's packages are not consistent as they are",
        _NO_ENGINE.hint,
    )


def _inconsistent(reasons: tuple[Reason, ...]) -> Problem:
    return Problem(
        "inconsistent",
        tuple(dict.fromkeys(reason.package for reason in reasons)),
        "no such set of packages can stand: " + "; ".join(map(str, reasons)),
        "make the versions that are missing available, or let the packages named deviate: --missing keep",
    )

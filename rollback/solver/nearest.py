"""The `Solver` that finds the way back whatever can be had: exactly to the snapshot, or to the nearest consistent state.

Pure. Where the exact way is consistent it is taken, and nothing is solved. Otherwise the optimum is (`aim` says of what),
or, where python-sat is not installed, the closure, which says that nobody proved it nearest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.model import PackageName
from rollback.foreign.packages import NOBODYS, Foreign
from rollback.manifest.model import Manifest, Problem, exact
from rollback.packaging.candidate import Catalog

from .decode import told
from .encoding import Encoding, Reason
from .greedy import closure
from .guests import Guests, guests, marked
from .preferences import Aim
from .problem import Missing, scene

_Reasons = Mapping[PackageName, tuple[Reason, ...]]
_Answer = tuple[frozenset[int], _Reasons, tuple[Problem, ...]]

_NO_ENGINE = Problem(
    "not-proven",
    (),
    "consistent, but not proven nearest: python-sat, which would find the optimum and all reasons, is not installed",
    "pip install 'nornir-upgrade[solver]'",
)


@dataclass(frozen=True, slots=True)
class Nearest:
    """A `Solver` by policy.

    `missing`, where a version of the snapshot cannot be had: `keep` the package as it is and what it needs, `remove` what
    cannot be exact, or `fail`. `only`: glob patterns; the smallest set of changes that takes the packages they match back.
    """

    missing: Missing = "keep"
    only: tuple[str, ...] = ()

    def __call__(
        self, then: HostFacts, now: HostFacts, offered: Catalog, to: Mapping[str, str], foreign: Foreign = NOBODYS
    ) -> Manifest:
        """The manifest to the nearest state; with `problems` where there is none, or policy allows none but the exact one.

        `foreign` packages stay, as if the snapshot had them, as far as that is compatible with what goes back.
        """
        hosting = guests(then, now, offered, foreign, missing=self.missing, only=self.only)
        return marked(self._manifest(hosting, now, offered, to), hosting, foreign, now)

    def _manifest(self, hosting: Guests, now: HostFacts, offered: Catalog, to: Mapping[str, str]) -> Manifest:
        then, keys = hosting.then, hosting.keys
        straight = exact(then, now, offered, to)
        if not self.only and not straight.problems and self._stands(then, now, offered, keys):
            return straight
        found = scene(then, now, offered, missing=self.missing, only=self.only, guests=keys)
        wanted = found.wanted
        broken = found.encoding.violated(wanted)
        answer = (wanted, {}, ()) if not broken else _answer(found.encoding, found.aims)
        if isinstance(answer, Problem):
            return replace(straight, problems=(*straight.problems, answer))
        manifest = told(found, *answer, straight, offered)
        if self.missing == "fail" and manifest.deviations:
            return replace(manifest, problems=manifest.deviations, deviations=())
        return manifest

    def _stands(self, then: HostFacts, now: HostFacts, offered: Catalog, keys: frozenset[PackageName]) -> bool:
        found = scene(then, now, offered, missing=self.missing, straight=True, guests=keys)
        return not found.encoding.violated(found.wanted)


def _answer(encoding: Encoding, aims: Sequence[Aim]) -> _Answer | Problem:
    try:
        from .explain import contradiction, explain
        from .maxsat import nearest
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pysat":
            raise
        return _closed(encoding, aims)
    chosen = nearest(encoding, aims)
    if chosen is None:
        return _inconsistent(contradiction(encoding))
    return chosen, explain(encoding, aims, chosen), ()


def _closed(encoding: Encoding, aims: Sequence[Aim]) -> _Answer | Problem:
    found = closure(encoding, aims)
    if found is not None:
        return *found, (_NO_ENGINE,)
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
        tuple(dict.fromkeys(one.package for one in reasons)),
        "no such set of packages can stand: " + "; ".join(map(str, reasons)),
        "make the versions that are missing available, or let the packages named deviate: --missing keep",
    )

"""Preferences: the goal of each package, and the order of goals if not all can be reached. Pure.

The order is strict: each line decides only what the lines above leave open (`levels`):

 0. the rules of the packages hold, and nothing essential or protected is removed: never broken
 1. with `--only`: the packages named are there at all, then are exactly as in the snapshot, or gone as there
 2. packages of the snapshot that somebody asked for (not marked auto) are there, in whatever version
 3. packages are exactly as in the snapshot (with `--only`: packages not named stay exactly as they are)
 4. the other packages of the snapshot are there, in whatever version
 5. foreign packages stay as they are, and what they need of those that came with a run; else they are there, in whatever version
 6. the other packages that are not in the snapshot are removed
 7. a package that cannot reach its goal stays as it is (with `--only`: gets its version of the snapshot)
 8. otherwise its version is the nearest of the available ones, counted in versions
 9. the first of the packages by name and architecture in which two answers still differ has the version it should have, else
    the one on the host, else the newest, else none

So the answer is unique, and the same on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nornir_upgrade.core.packaging.model import PackageName
from nornir_upgrade.core.version.evr import Key, sort_key

from .encoding import Encoding


@dataclass(frozen=True, slots=True)
class PackageGoal:
    """The goal of one package. `wanted`: the version, '' for absent; `second`: the next best version.

    `focus`: the package is named by `--only`; `asked`: it is not marked auto; `guest`: it stays although the snapshot lacks it.
    """

    key: PackageName
    wanted: str
    second: str
    focus: bool = False
    asked: bool = False
    guest: bool = False


Soft = tuple[tuple[int, ...], int]
"""A clause that should be true, and its weight within its level."""


def levels(encoding: Encoding, aims: Sequence[PackageGoal]) -> tuple[tuple[Soft, ...], ...]:
    """The preferences as soft clauses, the weightiest level first; see the table above."""
    guests = [aim for aim in aims if aim.guest]
    focus = [aim for aim in aims if aim.focus and not aim.guest]
    rest = [aim for aim in aims if not aim.focus and not aim.guest]
    return (
        _present(encoding, focus),
        _exact(encoding, focus) + _gone(encoding, focus),
        _present(encoding, [aim for aim in rest if aim.asked]),
        _exact(encoding, rest),
        _present(encoding, [aim for aim in rest if not aim.asked]),
        _exact(encoding, guests),
        _present(encoding, guests),
        _gone(encoding, rest),
        _settled(encoding, aims),
        _near(encoding, aims),
    )


def ranked(encoding: Encoding, aim: PackageGoal) -> tuple[int, ...]:
    """The variables of the package, the best first by line 9. Absence ranks last, or first if it is wanted."""
    first = [v for v in (encoding.find(aim.key, aim.wanted), encoding.find(aim.key, aim.second)) if v]
    return tuple(dict.fromkeys((*first, *reversed(_by_version(encoding, aim.key)))))


def _present(encoding: Encoding, aims: Sequence[PackageGoal]) -> tuple[Soft, ...]:
    groups = (encoding.standing(aim.key) for aim in aims if aim.wanted)
    return tuple((variables, 1) for variables in groups if variables)


def _exact(encoding: Encoding, aims: Sequence[PackageGoal]) -> tuple[Soft, ...]:
    variables = (encoding.find(aim.key, aim.wanted) for aim in aims if aim.wanted)
    return tuple(((variable,), 1) for variable in variables if variable)


def _gone(encoding: Encoding, aims: Sequence[PackageGoal]) -> tuple[Soft, ...]:
    return tuple(((-v,), 1) for aim in aims if not aim.wanted for v in encoding.variables.get(aim.key, ()))


def _settled(encoding: Encoding, aims: Sequence[PackageGoal]) -> tuple[Soft, ...]:
    return tuple(((-v,), 1) for aim in aims for v in _others(encoding, aim))


def _near(encoding: Encoding, aims: Sequence[PackageGoal]) -> tuple[Soft, ...]:
    return tuple(((-v,), _distance(encoding, aim, v)) for aim in aims for v in _others(encoding, aim))


def _others(encoding: Encoding, aim: PackageGoal) -> tuple[int, ...]:
    good = {aim.wanted, aim.second} - {""}
    return tuple(v for v in encoding.variables.get(aim.key, ()) if encoding.packages[v - 1].version not in good)


def _distance(encoding: Encoding, aim: PackageGoal, variable: int) -> int:
    """The distance in versions to the wanted version, else to the second. If the package should be absent, the oldest is nearest."""
    ordered = _by_version(encoding, aim.key)
    anchor = encoding.find(aim.key, aim.wanted or aim.second)
    return abs(ordered.index(variable) - ordered.index(anchor)) if anchor else ordered.index(variable) + 1


def _by_version(encoding: Encoding, key: PackageName) -> list[int]:
    """Oldest first; of versions that are level the one whose text sorts first."""

    def age(variable: int) -> Key:
        return sort_key(encoding.packages[variable - 1].version, encoding.flavour)

    return sorted(encoding.variables.get(key, ()), key=age)

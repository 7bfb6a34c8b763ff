"""What each package should come to, and what comes first where not all can: the preferences. Pure.

Strictly in this order, each line deciding only where the lines above leave a choice (`levels`):

 0. the rules of the packages, and that nothing essential or protected goes: never broken
 1. with `--only`: the packages named are there at all, then are exactly as in the snapshot, or gone as there
 2. packages of the snapshot that somebody asked for (not marked auto) are there, in whatever version
 3. packages are exactly as in the snapshot (with `--only`: those not named exactly as they are)
 4. the other packages of the snapshot are there, in whatever version
 5. foreign packages stay as they are, and what they need of those that came with a run; else they are there, in whatever version
 6. the other packages that the snapshot does not have are gone
 7. a package that cannot be as it should stays as it is (with `--only`: comes to its version of the snapshot)
 8. otherwise its version is as few versions away as can be, of those to be had
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
    """What one package should come to. `wanted` is the version, '' for not there; `second` the one to settle for.

    `focus`: it is among the packages that this is about (`--only`); `asked`: it is not marked auto; `guest`: it stays though the
    snapshot does not have it.
    """

    key: PackageName
    wanted: str
    second: str
    focus: bool = False
    asked: bool = False
    guest: bool = False


Soft = tuple[tuple[int, ...], int]
"""A clause that had better be true, and what it weighs within its level."""


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
    """The variables of the package, the best first by line 9; not to be there comes after all of them, or first if wanted."""
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
    """How many versions away from the one wanted, or else the one to settle for; where nothing should be, the oldest is nearest."""
    ordered = _by_version(encoding, aim.key)
    anchor = encoding.find(aim.key, aim.wanted or aim.second)
    return abs(ordered.index(variable) - ordered.index(anchor)) if anchor else ordered.index(variable) + 1


def _by_version(encoding: Encoding, key: PackageName) -> list[int]:
    """Oldest first; of versions that are level the one whose text sorts first."""

    def age(variable: int) -> Key:
        return sort_key(encoding.packages[variable - 1].version, encoding.flavour)

    return sorted(encoding.variables.get(key, ()), key=age)

"""What an administrator locked at its version: the lists of yum's and dnf 4's plugins, and the file of dnf 5's command. Pure."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from . import evr
from .errors import InvalidInput
from .packages import Package

LIST = "/etc/dnf/plugins/versionlock.list"  # dnf-versionlock(8)
TOML = "/etc/dnf/versionlock.toml"  # dnf5-versionlock(8)
YUM = "/etc/yum/pluginconf.d/versionlock.list"  # yum-plugin-versionlock, versionlock.conf

Locked = Callable[[Package], bool]
"""Whether a package is held at the version that it has."""

_ORDER: Mapping[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def parse_list(text: str) -> Locked:
    """A pattern a line, of a name, or of a name with more; one behind `!` forbids a version, and holds none."""
    lines = [line.strip() for line in text.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]  # `!…` is the form of no package
    if not patterns:
        return lambda package: False
    return lambda package: any(fnmatchcase(form, pattern) for form in _forms(package) for pattern in patterns)


def parse_yum(text: str) -> Locked:
    """A package a line, `epoch:name-version-release.arch`, whose architecture does not count; one behind `!` holds none.

    No patterns: where the plugin is given one, it writes down what that matched. Nor do capitals count (versionlock.py).
    """
    # Lines with `!` or `#` are left in: no package is called that.
    held = frozenset(line.strip().lower().rpartition(".")[0] for line in text.splitlines())
    return lambda package: not held.isdisjoint(_envr(package))


def _envr(package: Package) -> Iterator[str]:
    epoch, version, release = _parts(package)
    full = f"{package.name}-{version}-{release}".lower()
    yield from (f"{epoch}:{full}", *([full] if epoch == "0" else []))


def _forms(package: Package) -> Iterator[str]:
    """The package in each form that the plugin takes (hawkey's NEVRA, NEVR, NEV, NA and name)."""
    epoch, version, release = _parts(package)
    yield from (package.name, f"{package.name}.{package.arch}")
    for prefix in (f"{package.name}-{epoch}:", *([f"{package.name}-"] if epoch == "0" else [])):
        yield from (f"{prefix}{version}", f"{prefix}{version}-{release}", f"{prefix}{version}-{release}.{package.arch}")


def parse_toml(text: str) -> Locked:
    """A table `packages` a lock, each with conditions that must all hold. Raises `InvalidInput` for anything else."""
    import tomllib  # of which only dnf 5 makes use

    try:
        locks = tomllib.loads(text).get("packages", [])
        for lock in locks:
            _check(lock)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{TOML}: {error}") from None
    return lambda package: any(_keeps(lock, package) for lock in locks)


def _check(lock: Mapping[str, Any]) -> None:
    if not isinstance(lock["name"], str):
        raise TypeError(f"a lock of {lock['name']!r}")
    for condition in lock.get("conditions", []):
        if condition["key"] not in ("evr", "epoch", "arch") or condition["comparator"] not in _ORDER:
            raise TypeError(f"lock of {lock['name']} not understood: {condition}")
        condition["value"] = str(condition["value"])


def _keeps(lock: Mapping[str, Any], package: Package) -> bool:
    """Whether the lock lets the package be as it is. One that only forbids versions (`!=`) holds nothing."""
    conditions = lock.get("conditions", [])
    forbids = bool(conditions) and all(one["comparator"] == "!=" for one in conditions)
    return not forbids and fnmatchcase(package.name, lock["name"]) and all(_holds(one, package) for one in conditions)


def _holds(condition: Mapping[str, str], package: Package) -> bool:
    if condition["key"] == "arch":
        return (package.arch == condition["value"]) == (condition["comparator"] == "=")
    mine = package.version if condition["key"] == "evr" else f"{_parts(package)[0]}:0"
    its = condition["value"] if condition["key"] == "evr" else f"{condition['value']}:0"
    return _ORDER[condition["comparator"]](evr.compare(evr.found(_alike(mine, its), "rpm"), evr.found(its, "rpm")))


def _alike(mine: str, its: str) -> str:
    """`mine` without its release where `its` tells none: to a condition any release is then the same."""
    return mine if "-" in its else mine.partition("-")[0]


def _parts(package: Package) -> tuple[str, str, str]:
    one = evr.found(package.version, "rpm")
    return one.epoch or "0", one.upstream, one.revision

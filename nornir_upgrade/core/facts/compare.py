"""Comparison of two sets of facts of one host: differences, and whether they count."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from nornir_upgrade.core.packaging.model import Package
from nornir_upgrade.core.state import places
from nornir_upgrade.core.state.harmless import why_explained

from .gather import HostFacts

_Own = Literal["packages", "marks", "holds", "conffiles", "services", "repositories", "databases"]
Area = Literal[_Own, places.Area]
AREAS: tuple[Area, ...] = (
    *("packages", "marks", "holds", "conffiles", "services", "repositories", "databases"),
    *places.AREAS,
)
"""Every area that is compared. The time of the facts, and the running kernel, are no part of a host's state."""

_ABSENT = "absent"
_DIGEST = re.compile(r"(?<!\S)[0-9a-f]{32,}(?!\S)")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing of a host that is not the same. `before` and `after` say what it is, contents by their digests, `absent` where there
    is nothing."""

    host: str
    area: Area
    name: str
    before: str
    after: str

    @property
    def explained(self) -> str:
        """The reason of the rule by which the difference does not count; '' where it counts."""
        return why_explained(self.area, self.name)

    @property
    def other_content(self) -> bool:
        """Whether there is content before and after, and it differs."""
        before, after = (_DIGEST.findall(value) for value in (self.before, self.after))
        return bool(before and after) and before != after

    @property
    def words(self) -> tuple[str, str]:
        """`before` and `after` for people, to whom a digest says only that the content is another."""
        before, after = (" ".join(_DIGEST.sub("", value).split()) or "there" for value in (self.before, self.after))
        if not self.other_content:
            return before, after
        return before, "other content" if before == after else f"{after}, other content"

    def __str__(self) -> str:
        return f"{self.host}: {self.area}: {self.name}: {' -> '.join(self.words)}"


def compare(a: HostFacts, b: HostFacts) -> tuple[Difference, ...]:
    """What differs between `a` and the later `b`, sorted by area and name, explained or not; empty when they are equal."""
    return tuple(difference for area in AREAS for difference in _differences(a, b, area))


def compared(a: HostFacts, b: HostFacts) -> dict[Area, int]:
    """The number of compared things, by area. An area that is missing was gathered on one side at most."""
    return {area: len(_states(a, area).keys() | _states(b, area).keys()) for area in AREAS if _gathered(area, a, b)}


def _gathered(area: Area, a: HostFacts, b: HostFacts) -> bool:
    if area == "databases":
        return bool(a.databases or b.databases)
    return area in _STATES or (area in a.areas and area in b.areas)


def _states(facts: HostFacts, area: Area) -> Mapping[str, str]:
    if area in _STATES:
        return _STATES[area](facts)
    return {entry.name: entry.value for entry in facts.entries if entry.area == area}


def _differences(a: HostFacts, b: HostFacts, area: Area) -> list[Difference]:
    if not _gathered(area, a, b):
        return []
    before, after = _states(a, area), _states(b, area)
    return [
        Difference(b.host, area, name, before.get(name, _ABSENT), after.get(name, _ABSENT))
        for name in sorted(before.keys() | after.keys())
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]


def _packages(facts: HostFacts) -> Mapping[str, str]:
    return _joined(
        (package, f"{package.version} {package.state}{' reinst-required' * package.broken}")
        for package in facts.packages
    )


def _marks(facts: HostFacts) -> Mapping[str, str]:
    return _joined((package, "auto" if package.auto else "manual") for package in facts.packages if package.unpacked)


def _holds(facts: HostFacts) -> Mapping[str, str]:
    return _joined((package, "held") for package in facts.packages if package.hold)


def _joined(states: Iterable[tuple[Package, str]]) -> Mapping[str, str]:
    """The states of each package, of all its versions together."""
    states_of: dict[str, list[str]] = {}
    for package, state in states:
        states_of.setdefault(str(package.key), []).append(state)
    return {key: ", ".join(dict.fromkeys(every)) for key, every in states_of.items()}


def _conffiles(facts: HostFacts) -> Mapping[str, str]:
    """What stands on the disk. dpkg goes on listing a conffile that only a newer version had, as obsolete, after its file is
    gone: that is the same as never having heard of it.
    """
    return {file.path: file.digest for file in facts.conffiles if file.digest}


def _services(facts: HostFacts) -> Mapping[str, str]:
    return {
        service.name: f"{'active' if service.active else 'inactive'} {service.enabled}" for service in facts.services
    }


def _repositories(facts: HostFacts) -> Mapping[str, str]:
    """The files that say where packages come from, and the indexes that apt reads because of them."""
    indexes = {
        f"{repository.uri} {repository.suite}/{repository.component} {repository.arch}": f"priority {repository.priority}"
        for repository in facts.repositories
    }
    return {**indexes, **{source.path: source.digest for source in facts.sources}}


def _databases(facts: HostFacts) -> Mapping[str, str]:
    return {database.name: database.digest for database in facts.databases}


_STATES: Mapping[Area, Callable[[HostFacts], Mapping[str, str]]] = {
    "packages": _packages,
    "marks": _marks,
    "holds": _holds,
    "conffiles": _conffiles,
    "services": _services,
    "repositories": _repositories,
    "databases": _databases,
}

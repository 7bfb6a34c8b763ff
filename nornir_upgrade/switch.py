"""The switch of a host's repositories, from the old release to the new one. Pure: from scenario, facts and the text of source files.

While packages change a host has both: what is new stands in a file of its own. At the end the old file is removed, or rewritten in
place. Then plain reversal has the old versions at hand when they are due.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from .core import suites
from .core.errors import InvalidInput
from .core.facts import HostFacts
from .core.masking import masked
from .scenario import Repositories, RepositoryFile, Scenario
from .steps.repositories import SetRepository

Texts = Mapping[str, Mapping[str, str]]
"""The source files that are to be rewritten: host -> path -> text."""

_PARTS = "/etc/apt/sources.list.d"
_READ = (".list", ".sources")  # sources.list(5)
_BESIDE = "nornir-upgrade-"


@dataclass(frozen=True, slots=True)
class Switch:
    """`coming`: files (path -> text) that are added before the first package. `closing`: what ends it once all packages are done.
    `both`: the host has the old repositories and the new ones."""

    coming: Mapping[str, str] = field(default_factory=dict)
    closing: tuple[SetRepository, ...] = ()
    both: bool = False


def files(scenario: Scenario, facts: HostFacts) -> tuple[str, ...]:
    """The source files of the host whose text `switch` needs."""
    rewrites = scenario.repositories_of(facts.os.family).rewrites if facts.os.family in scenario.families else ()
    return tuple(
        source.path
        for source in facts.sources
        if _is_read(source.path) and any(fnmatchcase(source.path, one.path) for one in rewrites)
    )


def switch(scenario: Scenario, facts: HostFacts, texts: Mapping[str, str]) -> Switch:
    """How the repositories of the host change; `texts` are those of `files`.

    Raises `InvalidInput` where the scenario is not about such hosts, and where a password would stand in the plan.
    """
    its = scenario.repositories_of(facts.os.family)
    there = {source.path: source.digest for source in facts.sources}
    coming: dict[str, str] = {}
    closing: list[SetRepository] = []
    if its.in_place:
        assert its.old and its.new and its.new.text is not None
        new = its.new.text
        if there.get(its.old.path) != _digest(new):
            coming[beside(its.old.path)] = new
            closing.append(SetRepository(its.old.path, new, replaces=there.get(its.old.path, "")))
    else:
        coming |= {its.new.path: its.new.text or ""} if its.new else {}
        closing += _removed(its.old, there)
    for path, rewritten in _rewritten(its, facts.host, texts):
        coming[beside(path)] = rewritten.added
        closing.append(SetRepository(path, rewritten.text, replaces=there[path]))
    extra = [beside(path) for path in (*_paths(its.old), *texts) if beside(path) in {*there, *coming}]
    removed = tuple(SetRepository(path) for path in dict.fromkeys(extra))
    return Switch(coming, (*closing, *removed), has_both(scenario, facts))


def has_both(scenario: Scenario, facts: HostFacts) -> bool:
    """Whether the host has both repositories: it was taken to the new release, and that was not brought to its end."""
    if facts.os.family not in scenario.families:
        return False
    its = scenario.repositories_of(facts.os.family)
    there = {source.path for source in facts.sources}
    pairs = bool(its.old and its.new) and not its.in_place
    both = pairs and there.issuperset((*_paths(its.old), *_paths(its.new)))
    in_place = (*(_paths(its.old) if its.in_place else ()), *files(scenario, facts))
    return both or any(beside(path) in there for path in in_place)


def beside(path: str) -> str:
    """Where the new entries of a source file stand until it is rewritten itself."""
    place = PurePosixPath(path)
    own = place.name if str(place.parent) == _PARTS else f"main-{place.name}"
    return f"{_PARTS}/{_BESIDE}{own}"


def _rewritten(its: Repositories, host: str, texts: Mapping[str, str]) -> Iterator[tuple[str, suites.Rewritten]]:
    for path, text in texts.items():
        renames = next((one.suites for one in its.rewrites if fnmatchcase(path, one.path)), ())
        if new := suites.rewrite(path, text, renames):
            if masked(new.text) != new.text:
                hint = "put it where no plan shows it: apt_auth.conf(5)"
                raise InvalidInput(f"{host}: {path} holds a password, and would stand in the plan", hint=hint)
            yield path, new


def _is_read(path: str) -> bool:
    """Whether apt reads the file; our own file beside another is none of the host's."""
    name = PurePosixPath(path).name
    return name.endswith(_READ) and not name.startswith(_BESIDE)


def _removed(old: RepositoryFile | None, there: Mapping[str, str]) -> list[SetRepository]:
    return [SetRepository(old.path)] if old and old.path in there else []


def _paths(file: RepositoryFile | None) -> tuple[str, ...]:
    return (file.path,) if file else ()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""The switch of a host's repositories, from the old release to the new one. Pure: from scenario, facts and the text of source files.

While packages change a host has both: what is new stands in a file of its own. At the end the old file is removed, or rewritten in
place. Then plain reversal has the old versions at hand when they are due.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from nornir_upgrade.core.errors import InvalidInput
from nornir_upgrade.core.facts.gather import HostFacts
from nornir_upgrade.core.packaging.family import RepositoryFiles, Rewritten
from nornir_upgrade.core.packaging.registry import family_of
from nornir_upgrade.core.redaction import masked
from nornir_upgrade.scenario.model import Repositories, RepositoryFile, Scenario
from nornir_upgrade.steps.repositories import SetRepository

Texts = Mapping[str, Mapping[str, str]]
"""The source files that are to be rewritten: host -> path -> text."""

_BESIDE = "nornir-upgrade-"


@dataclass(frozen=True, slots=True)
class Switch:
    """`coming`: files (path -> text) that are added before the first package. `closing`: steps after the last package."""

    coming: Mapping[str, str] = field(default_factory=dict)
    closing: tuple[SetRepository, ...] = ()


def files(scenario: Scenario, facts: HostFacts) -> tuple[str, ...]:
    """The source files of the host whose text `switch` needs."""
    rewrites = scenario.repositories_of(facts.os.family).rewrites if facts.os.family in scenario.families else ()
    return tuple(
        source.path
        for source in facts.sources
        if _is_read(_kind(facts), source.path) and any(fnmatchcase(source.path, rewrite.path) for rewrite in rewrites)
    )


def switch(scenario: Scenario, facts: HostFacts, texts: Mapping[str, str]) -> Switch:
    """How the repositories of the host change; `texts` are those of `files`.

    Raises `InvalidInput` where the scenario is not about such hosts, and where a password would stand in the plan.
    """
    repositories, kind = scenario.repositories_of(facts.os.family), _kind(facts)
    there = {source.path: source.digest for source in facts.sources}
    rewritten = _rewritten(kind, repositories, facts.host, texts)
    parts = [
        _files(kind, repositories, there),
        *(_in_place(kind, path, file, there) for path, file in rewritten),
    ]
    coming = {path: text for part in parts for path, text in part.coming.items()}
    extra = {beside(kind, path): None for path in (*_paths(repositories.old), *texts)}
    removed = (SetRepository(path) for path in extra if path in there or path in coming)
    return Switch(coming, (*(step for part in parts for step in part.closing), *removed))


def _files(kind: RepositoryFiles, repositories: Repositories, there: Mapping[str, str]) -> Switch:
    """The old file and the new one; `there` are those that the host has, with their digests."""
    old, new = (file.path if file else "" for file in (repositories.old, repositories.new))
    text = repositories.new.text or "" if repositories.new else ""
    if repositories.in_place and old in there:
        same = there[old] == hashlib.sha256(text.encode()).hexdigest()
        return Switch() if same else _in_place(kind, old, Rewritten(text, text), there)
    gone = (SetRepository(old),) if old in there and not repositories.in_place else ()
    return Switch({new: text} if new else {}, gone)


def _in_place(kind: RepositoryFiles, path: str, new: Rewritten, there: Mapping[str, str]) -> Switch:
    return Switch({beside(kind, path): new.added}, (SetRepository(path, new.text, replaces=there[path]),))


def has_both(scenario: Scenario, facts: HostFacts) -> bool:
    """Whether the host has the old and the new repositories: an earlier upgrade did not remove the old ones."""
    if facts.os.family not in scenario.families:
        return False
    repositories = scenario.repositories_of(facts.os.family)
    there = {source.path for source in facts.sources}
    pairs = bool(repositories.old and repositories.new) and not repositories.in_place
    both = pairs and there.issuperset((*_paths(repositories.old), *_paths(repositories.new)))
    in_place = (*(_paths(repositories.old) if repositories.in_place else ()), *files(scenario, facts))
    return both or any(beside(_kind(facts), path) in there for path in in_place)


def _kind(facts: HostFacts) -> RepositoryFiles:
    return family_of(facts.os.manager).repositories


def beside(kind: RepositoryFiles, path: str) -> str:
    """The file that has the new entries of a source file until that file is rewritten."""
    place = PurePosixPath(path)
    own = place.name if str(place.parent) == kind.directory else f"main-{place.name}"
    return f"{kind.directory}/{_BESIDE}{own}"


def _rewritten(
    kind: RepositoryFiles, repositories: Repositories, host: str, texts: Mapping[str, str]
) -> Iterator[tuple[str, Rewritten]]:
    for path, text in texts.items():
        renames = next((rewrite.suites for rewrite in repositories.rewrites if fnmatchcase(path, rewrite.path)), ())
        if new := kind.rewrite(path, text, renames):
            if masked(new.text) != new.text:
                hint = f"put it where no plan shows it: {kind.secret}"
                raise InvalidInput(f"{host}: {path} holds a password, and would stand in the plan", hint=hint)
            yield path, new


def _is_read(kind: RepositoryFiles, path: str) -> bool:
    """Whether the manager reads the file, and the file is not one of ours."""
    name = PurePosixPath(path).name
    return name.endswith(kind.endings) and not name.startswith(_BESIDE)


def _paths(file: RepositoryFile | None) -> tuple[str, ...]:
    return (file.path,) if file else ()

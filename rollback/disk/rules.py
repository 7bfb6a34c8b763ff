"""Rules of pictures: a YAML file lists the differences between two pictures of a host that have a known reason."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast, get_args

from nornir_upgrade.config.yaml import Node, YamlFile, read
from nornir_upgrade.core.filesystem.picture import ASPECTS, KINDS, Aspect, PathChange, PathState, Picture

Condition = Literal["", "same-stanzas", "same-lines", "bytecode", "new"]
"""A further condition of a rule: the file has the same stanzas or lines in another order; Python's bytecode has its source; the
path is new.
"""

_MEANINGS: Mapping[Condition, str] = {"same-stanzas": "stanzas", "same-lines": "lines"}
_WILD = re.compile(r"\*\*|\*|\?")
_WILDCARDS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
_CACHE = "/__pycache__"
_FIELDS = ("name", "reason", "paths", "aspects")
_MORE = ("kinds", "condition")


@dataclass(frozen=True, slots=True)
class PictureRule:
    """Differences at `paths` in `aspects` have this `reason`. In globs `*` and `?` match within a directory, `**` across directories.

    `kinds`: find(1)'s letters for the type of file, before and after; '' for any.
    """

    name: str
    reason: str
    paths: tuple[str, ...]
    aspects: tuple[Aspect, ...]
    kinds: str = ""
    condition: Condition = ""

    def matches(self, path: str) -> bool:
        """Whether the rule applies to `path`."""
        return bool(_pattern(self.paths).fullmatch(path))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The differences without a rule, and how many each rule explains, the highest count first."""

    unexplained: tuple[PathChange, ...]
    explained: tuple[tuple[PictureRule, int], ...]


def shipped() -> tuple[PictureRule, ...]:
    """The rules of this package."""
    return load(files("rollback.disk").joinpath("picture_rules.yaml"), "picture_rules.yaml")


def with_more(own: Path | None) -> tuple[PictureRule, ...]:
    """The rules of this package, then those of the file `own`. Raises `InvalidInput`."""
    return (*shipped(), *(load(own, str(own)) if own else ()))


def load(source: YamlFile, name: str) -> tuple[PictureRule, ...]:
    """The rules in a file. Raises `InvalidInput` with file, line and key."""
    top = read(source, name).fields(("format", "rules"))
    top["format"].text(r"1\.\d+", what='a format that this version knows: "1.0"')
    return tuple(map(_rule, top["rules"].elements()))


def meanings(rules: Iterable[PictureRule]) -> tuple[tuple[str, str], ...]:
    """The files whose meaning is compared, not their bytes: path, and `stanzas` or `lines`."""
    return tuple(
        (path, _MEANINGS[rule.condition]) for rule in rules if rule.condition in _MEANINGS for path in rule.paths
    )


def judge(changes: Iterable[PathChange], rules: Iterable[PictureRule], before: Picture, after: Picture) -> Judgement:
    """Sort `changes` by `rules`. Each counts under the first rule that applies; without one it is unexplained."""
    ordered = tuple(rules)
    counts: dict[PictureRule, int] = {}
    unexplained = []
    for change in changes:
        rest, first = _explain(change, ordered, before, after)
        if rest:
            unexplained.append(replace(change, aspects=rest))
        elif first:
            counts[first] = counts.get(first, 0) + 1
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0].name))
    return Judgement(tuple(unexplained), tuple(by_count))


def _explain(
    change: PathChange, rules: Iterable[PictureRule], before: Picture, after: Picture
) -> tuple[tuple[Aspect, ...], PictureRule | None]:
    """The aspects of a change that no rule explains, and the first rule that explains one."""
    rest, first = change.aspects, None
    for rule in rules:
        if {*rest} & {*rule.aspects} and rule.matches(change.path) and _holds(rule, change, before, after):
            rest = tuple(aspect for aspect in rest if aspect not in rule.aspects)
            first = first or rule
            if not rest:
                break
    return rest, first


def _holds(rule: PictureRule, change: PathChange, before: Picture, after: Picture) -> bool:
    old, new = change.before, change.after
    if rule.kinds and any(entry.kind not in rule.kinds for entry in (old, new) if entry):
        return False
    if rule.condition == "bytecode":
        return _has_source(change.path, before, after)
    if rule.condition == "new":
        return old is None
    return not rule.condition or _means_the_same(old, new)


def _means_the_same(old: PathState | None, new: PathState | None) -> bool:
    return bool(old and new and old.meaning and old.meaning == new.meaning)


def _has_source(path: str, before: Picture, after: Picture) -> bool:
    """Whether Python's bytecode at `path` has the same source in both pictures: Python may write it again at any time."""
    directory, _, name = path.rpartition("/")
    if path.endswith(_CACHE):
        return directory in before.records and directory in after.records
    if not directory.endswith(_CACHE):
        return False
    source = f"{directory.removesuffix(_CACHE)}/{name.partition('.')[0]}.py"
    old, new = before.entry(source), after.entry(source)
    return bool(old and new and old.digest and old.digest == new.digest)


def _rule(node: Node) -> PictureRule:
    keys = node.fields(_FIELDS, _MORE)
    condition = keys["condition"].text("|".join(get_args(Condition))) if "condition" in keys else ""
    paths = keys["paths"].texts(r"/[^\0]*", what="an absolute path")
    if condition in _MEANINGS and any(_WILD.search(path) for path in paths):
        raise keys["paths"].fail(f"{condition} needs paths without wildcards")
    return PictureRule(
        keys["name"].text("[a-z][a-z0-9-]*", what="small letters, digits and hyphens"),
        keys["reason"].text(r"\S[\s\S]{9,}", what="a reason in words"),
        paths,
        cast(tuple[Aspect, ...], keys["aspects"].texts("|".join(ASPECTS), what=f"one of {', '.join(ASPECTS)}")),
        _kinds(keys["kinds"]) if "kinds" in keys else "",
        cast(Condition, condition),
    )


def _kinds(node: Node) -> str:
    letters = {word: letter for letter, word in KINDS.items()}
    return "".join(letters[word] for word in node.texts("|".join(letters), what=f"one of {', '.join(letters)}"))


@cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_regex, globs)), re.DOTALL)


def _regex(glob: str) -> str:
    plain, wild = _WILD.split(glob), [*_WILD.findall(glob), ""]
    return "".join(re.escape(text) + _WILDCARDS.get(sign, "") for text, sign in zip(plain, wild, strict=True))

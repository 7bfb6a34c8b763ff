"""Rules of pictures: which differences between two pictures of a host have a known reason, as a YAML file says it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast, get_args

from nornir_upgrade.config.yaml import Node, Source, read
from nornir_upgrade.core.filesystem.picture import ASPECTS, KINDS, Aspect, Change, Entry, Picture

Condition = Literal["", "same-stanzas", "same-lines", "bytecode", "new"]
"""What must hold besides: the file says the same but for the order of its stanzas or lines; Python's bytecode has its source;
nothing stood there before.
"""

_MEANINGS: Mapping[Condition, str] = {"same-stanzas": "stanzas", "same-lines": "lines"}
_WILD = re.compile(r"\*\*|\*|\?")
_WILDCARDS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
_CACHE = "/__pycache__"
_FIELDS = ("name", "reason", "paths", "aspects")
_MORE = ("kinds", "condition")


@dataclass(frozen=True, slots=True)
class Rule:
    """Differences at `paths` in `aspects` have this `reason`. Globs: `*` and `?` stay within a directory, `**` does not.

    `kinds` are find(1)'s letters of what stands there, before and after; '' for any.
    """

    name: str
    reason: str
    paths: tuple[str, ...]
    aspects: tuple[Aspect, ...]
    kinds: str = ""
    condition: Condition = ""

    def matches(self, path: str) -> bool:
        """Whether the rule is about `path`."""
        return bool(_pattern(self.paths).fullmatch(path))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The differences without a rule, and how many each rule explains, those with the most first."""

    unexplained: tuple[Change, ...]
    explained: tuple[tuple[Rule, int], ...]


def shipped() -> tuple[Rule, ...]:
    """The rules of this package."""
    return load(files("rollback.disk").joinpath("picture_rules.yaml"), "picture_rules.yaml")


def with_more(own: Path | None) -> tuple[Rule, ...]:
    """The rules of this package, and after them those of the file `own`. Raises `InvalidInput`."""
    return (*shipped(), *(load(own, str(own)) if own else ()))


def load(source: Source, name: str) -> tuple[Rule, ...]:
    """The rules in a file. Raises `InvalidInput` with file, line and key."""
    top = read(source, name).fields(("format", "rules"))
    top["format"].text(r"1\.\d+", what='a format that this version knows: "1.0"')
    return tuple(map(_rule, top["rules"].elements()))


def meanings(rules: Iterable[Rule]) -> tuple[tuple[str, str], ...]:
    """The files that are to be read for what they say: path, and how."""
    return tuple(
        (path, _MEANINGS[rule.condition]) for rule in rules if rule.condition in _MEANINGS for path in rule.paths
    )


def judge(changes: Iterable[Change], rules: Iterable[Rule], before: Picture, after: Picture) -> Judgement:
    """Part `changes` by `rules`. Each counts under the first rule that is about it; what no rule is about stays unexplained."""
    ordered = tuple(rules)
    counts: dict[Rule, int] = {}
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
    change: Change, rules: Iterable[Rule], before: Picture, after: Picture
) -> tuple[tuple[Aspect, ...], Rule | None]:
    """The aspects of a change that no rule is about, and the first rule that is about one."""
    rest, first = change.aspects, None
    for rule in rules:
        if {*rest} & {*rule.aspects} and rule.matches(change.path) and _holds(rule, change, before, after):
            rest = tuple(aspect for aspect in rest if aspect not in rule.aspects)
            first = first or rule
            if not rest:
                break
    return rest, first


def _holds(rule: Rule, change: Change, before: Picture, after: Picture) -> bool:
    one, other = change.before, change.after
    if rule.kinds and any(entry.kind not in rule.kinds for entry in (one, other) if entry):
        return False
    if rule.condition == "bytecode":
        return _has_source(change.path, before, after)
    if rule.condition == "new":
        return one is None
    return not rule.condition or _means_the_same(one, other)


def _means_the_same(one: Entry | None, other: Entry | None) -> bool:
    return bool(one and other and one.meaning and one.meaning == other.meaning)


def _has_source(path: str, before: Picture, after: Picture) -> bool:
    """Whether what Python wrote at `path` has its source in both pictures, unchanged: then Python writes it again as it likes."""
    directory, _, name = path.rpartition("/")
    if path.endswith(_CACHE):
        return directory in before.records and directory in after.records
    if not directory.endswith(_CACHE):
        return False
    source = f"{directory.removesuffix(_CACHE)}/{name.partition('.')[0]}.py"
    one, other = before.entry(source), after.entry(source)
    return bool(one and other and one.digest and one.digest == other.digest)


def _rule(node: Node) -> Rule:
    given = node.fields(_FIELDS, _MORE)
    condition = given["condition"].text("|".join(get_args(Condition))) if "condition" in given else ""
    paths = given["paths"].texts(r"/[^\0]*", what="an absolute path")
    if condition in _MEANINGS and any(_WILD.search(path) for path in paths):
        raise given["paths"].fail(f"{condition} needs paths without wildcards")
    return Rule(
        given["name"].text("[a-z][a-z0-9-]*", what="small letters, digits and hyphens"),
        given["reason"].text(r"\S[\s\S]{9,}", what="a reason in words"),
        paths,
        cast(tuple[Aspect, ...], given["aspects"].texts("|".join(ASPECTS), what=f"one of {', '.join(ASPECTS)}")),
        _kinds(given["kinds"]) if "kinds" in given else "",
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

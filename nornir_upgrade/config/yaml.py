"""YAML: a document read safely. Every value has its place, so that a refusal names file, line and key."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from nornir_upgrade.core.errors import InvalidInput

LIMIT = 256 * 1024
"""Largest file in bytes. A scenario has some ten thousand."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class YamlFile(Protocol):
    """A readable file of pathlib or importlib.resources."""

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document. `line` counts from 1; `key` is its path from the top, as `stages[2].serial`.

    `variables` replace `${name}` in every text at and below it; with None, texts are not changed.
    """

    file: str
    line: int
    key: str
    value: Any = field(repr=False)
    variables: Mapping[str, str] | None = None

    def fail(self, reason: str, *, hint: str = "") -> InvalidInput:
        """The refusal of this value."""
        return InvalidInput(f"{self.file}, line {self.line}: {self.key or 'the document'}: {reason}", hint=hint)

    def items(self) -> dict[str, "Node"]:
        """The entries of a mapping with any keys. Raises `InvalidInput` if it is no mapping, or a key is no text."""
        if not isinstance(self.value, Mapping):
            raise self.fail(f"must hold keys and values, not {self._shown()}")
        entries = {}
        for key in self.value:
            node = self._child(self.value[key], f"{self.key}.{key}" if self.key else str(key), self._line_of(key))
            if not isinstance(key, str):
                raise node.fail("the key must be text: put it in quotes")
            entries[key] = node
        return entries

    def fields(self, required: Sequence[str], optional: Sequence[str] = (), *, example: str = "") -> dict[str, "Node"]:
        """The entries of a mapping that has all `required` keys, and besides them only `optional` ones.

        Raises `InvalidInput` naming all unknown and all missing keys, with the `example`.
        """
        entries, known = self.items(), (*required, *optional)
        unknown = [key for key in entries if key not in known]
        missing = [key for key in required if key not in entries]
        reasons = [f"there is no key {', '.join(map(repr, unknown))} here"] * bool(unknown)
        reasons += [f"lacks {', '.join(missing)}"] * bool(missing)
        if reasons:
            hints = (nearest(unknown[0], known) if unknown else "", f"for example: {example}" if example else "")
            place = entries[unknown[0]] if unknown else self
            raise place.fail("; ".join(reasons), hint="; ".join(filter(None, hints)))
        return entries

    def elements(self) -> tuple["Node", ...]:
        """The elements of a list. Raises `InvalidInput` if it is no list."""
        if not isinstance(self.value, Sequence) or isinstance(self.value, str):
            raise self.fail(f"must be a list, not {self._shown()}")
        return tuple(
            self._child(value, f"{self.key}[{number}]", self._line_of(number))
            for number, value in enumerate(self.value)
        )

    def text(self, pattern: str = "", *, what: str = "text") -> str:
        """The text, with `${name}` replaced. A `pattern` must match all of it; `what` names the pattern in words.

        Raises `InvalidInput` if it does not match, or is no text.
        """
        matches = not pattern or re.fullmatch(pattern, str(self.value), re.ASCII)
        if not isinstance(self.value, str):
            raise self.fail(
                f"must be {what}, not {self._shown()}", hint="put it in quotes" if self._scalar() and matches else ""
            )
        text = _VARIABLE.sub(self._variable, self.value) if self.variables is not None else str(self.value)
        if pattern and not re.fullmatch(pattern, text, re.ASCII):
            raise self.fail(f"must be {what}, not {text!r}")
        return text

    def texts(self, pattern: str = "", *, what: str = "text") -> tuple[str, ...]:
        """A list of texts. A text that is empty after variables are replaced is left out. Raises `InvalidInput` for duplicates."""
        texts: list[str] = []
        for element in self.elements():
            text = element.text(f"(?:{pattern})?" if pattern else "", what=what)
            if text in texts:
                raise element.fail(f"{text!r} is listed twice")
            if text:
                texts.append(text)
        return tuple(texts)

    def expanded(self, text: str) -> str:
        """`text` of this node with `${name}` replaced. For keys, in which `items` replaces nothing."""
        return _VARIABLE.sub(self._variable, text) if self.variables is not None else text

    def number(self, smallest: int, largest: int) -> int:
        """A whole number from `smallest` to `largest`. Raises `InvalidInput` for others."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or not smallest <= self.value <= largest:
            raise self.fail(f"must be a whole number from {smallest} to {largest}, not {self._shown()}")
        return int(self.value)

    def with_variables(self, variables: Mapping[str, str]) -> "Node":
        """This node, in which `variables` replace `${name}`."""
        return replace(self, variables=variables)

    def _variable(self, match: re.Match[str]) -> str:
        known = self.variables or {}
        if match[1] not in known:
            raise self.fail(f"there is no setting {match[1]!r}", hint=nearest(match[1], tuple(known)))
        return known[match[1]]

    def _child(self, value: Any, key: str, line: int) -> "Node":
        return Node(self.file, line, key, value, self.variables)

    def _line_of(self, key: Any) -> int:
        """ruamel counts lines from 0, and has no line for entries of a merge key."""
        try:
            places = self.value.lc
            place = places.key(key) if isinstance(self.value, Mapping) else places.item(key)
            return int(place[0]) + 1
        except (AttributeError, KeyError, TypeError):
            return self.line

    def _scalar(self) -> bool:
        return isinstance(self.value, int | float)

    def _shown(self) -> str:
        if self.value is None:
            return "nothing"
        if self._scalar() or isinstance(self.value, str):
            return repr(self.value)
        return "a list" if isinstance(self.value, Sequence) else "keys and values"


def read(source: YamlFile, name: str) -> Node:
    """The document in `source`, which messages call `name`. Raises `InvalidInput` with file and line if it is no YAML.

    Tags create no objects. Duplicate keys, too large files and too deep nesting are refused.
    """
    try:
        data = source.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{name}: {error.strerror}") from None
    if len(data) > LIMIT:
        raise InvalidInput(f"{name}: larger than {LIMIT // 1024} KiB")
    try:
        return Node(name, 1, "", YAML(typ="rt").load(data.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name}: byte {error.start} is no UTF-8") from None
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = (error.problem or error.context or "not understood").splitlines()[0]
        raise InvalidInput(f"{name}{line}: not YAML: {problem}") from None
    except (YAMLError, ValueError) as error:
        raise InvalidInput(f"{name}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise InvalidInput(f"{name}: nested too deep") from None


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint: the known word most similar to `word`, or else all known words."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, 1)
    return f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(words) or 'nothing'}"

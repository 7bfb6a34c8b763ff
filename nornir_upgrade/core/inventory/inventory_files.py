"""Inventory files: the YAML files of an inventory, checked for mistakes that Nornir would ignore or fail on.

An error names file, line and key.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from nornir_upgrade.core.errors import InvalidInput

Files = Mapping[str, Path]
"""`hosts`, `groups`, `defaults` -> file."""

_CONNECTION = ("hostname", "port", "username", "password", "platform", "extras")
_DEFAULTS = ("hostname", "port", "username", "password", "platform", "data", "connection_options")
_ELEMENT = (*_DEFAULTS, "groups")


def read_yaml(path: Path) -> CommentedMap:
    """The mapping in the file, with the lines of its keys. Raises `InvalidInput`, with the line if it is known."""
    try:
        loaded = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: byte {error.start} is not UTF-8") from None
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InvalidInput(f"{path}{line}: not YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise InvalidInput(f"{path}: not YAML: {error}") from None
    if loaded is None:
        return CommentedMap()
    if not isinstance(loaded, CommentedMap):
        raise InvalidInput(f"{path}: must hold keys and values, not {loaded!r}")
    return loaded


def check(files: Files) -> None:
    """Raises `InvalidInput` naming file, line and key, for mistakes that SimpleInventory of Nornir would ignore or fail on.

    The files of groups and defaults are optional. Reading without lines is five times as fast: lines are read only after a mistake.
    """
    existing = {name: path for name, path in files.items() if name == "hosts" or path.exists()}
    try:
        _check(files, {name: _read_plain(path) for name, path in existing.items()})
    except (OSError, ValueError, YAMLError, InvalidInput):
        _check(files, {name: read_yaml(path) for name, path in existing.items()})


def _read_plain(path: Path) -> dict[Any, Any]:
    """As `read_yaml`, without lines. Raises the errors of the reader, and `ValueError` if the document is no mapping."""
    loaded = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    if not isinstance(loaded, dict | None):
        raise ValueError
    return loaded or {}


class _NoGroups(dict[str, Any]):
    """The groups of an inventory that has no file of groups. `hint` names the missing file."""

    def __init__(self, file: object) -> None:
        super().__init__()
        self.hint = f"none, for there is no file {file}" if file else "none"


def _check(files: Files, documents: Mapping[str, Mapping[Any, Any]]) -> None:
    groups = documents.get("groups", _NoGroups(files.get("groups", "")))
    for name in ("hosts", "groups"):
        for key in documents.get(name, ()):
            place = KeyPlace(files[name], documents[name], (), key)
            if not isinstance(key, str):
                raise place.wrong(f"must be text, not {key!r}", hint="put it in quotes")
            if not key.strip() or not key.isprintable():
                raise place.wrong(f"{key!r} is not a name: it must be one line of text")
            _check_element(place, documents[name][key], _ELEMENT, groups)
    if "defaults" in documents:
        whole = CommentedMap({"": documents["defaults"]})
        _check_element(KeyPlace(files["defaults"], whole, (), ""), documents["defaults"], _DEFAULTS, groups)


class KeyPlace:
    """The place of a key: in `mapping` of `file`, below the keys `above`."""

    def __init__(self, file: Path, mapping: Any, above: tuple[str, ...], key: object) -> None:
        self.file, self._mapping, self._above, self._key = file, mapping, above, key

    def below(self, mapping: Any, key: object) -> "KeyPlace":
        """The place of `key` in `mapping`, the value of this key."""
        return KeyPlace(self.file, mapping, (*self._above, str(self._key)), key)

    def wrong(self, what: str, hint: str = "") -> InvalidInput:
        """The error for this key, with file, line and path. ruamel counts lines from 0."""
        try:
            line = f", line {self._mapping.lc.key(self._key)[0] + 1}"
        except (AttributeError, KeyError, TypeError):
            line = ""
        path = ".".join(part for part in (*self._above, str(self._key)) if part and part.isprintable())
        return InvalidInput(f"{self.file}{line}: {path}: {what}" if path else f"{self.file}{line}: {what}", hint=hint)


def _check_element(place: KeyPlace, element: Any, known: Collection[str], groups: Mapping[str, Any]) -> None:
    """A host, a group, or the defaults."""
    if element is None:
        return
    for key, value in _pairs(place, element, known):
        key_place = place.below(element, key)
        if key == "connection_options":
            for name, options in _pairs(key_place, value):
                options_place = key_place.below(value, name)
                for option, setting in _pairs(options_place, options, _CONNECTION):
                    _check_value(options_place.below(options, option), option, setting)
        elif key == "groups":
            _check_groups(key_place, value, groups)
        else:
            _check_value(key_place, key, value)


def _check_groups(place: KeyPlace, value: Any, groups: Mapping[str, Any]) -> None:
    if value is not None and not isinstance(value, list):
        raise place.wrong(f"must be a list of groups, not {value!r}")
    for name in value or ():
        if name not in groups:
            existing = groups.hint if isinstance(groups, _NoGroups) else ", ".join(map(str, groups)) or "none"
            raise place.wrong(f"there is no group {name!r}", hint=f"there is: {existing}")


def _check_value(place: KeyPlace, key: str, value: Any) -> None:
    wanted, holds = _WANTED[key]
    if value is not None and not holds(value):
        raise place.wrong(f"must be {wanted}, not {value!r}")


def _pairs(place: KeyPlace, mapping: Any, known: Collection[str] = ()) -> list[tuple[str, Any]]:
    """The keys and values of `mapping`. Raises `InvalidInput` for a key that is not text, or not in `known` if that is given."""
    if mapping is None:
        return []
    if not isinstance(mapping, Mapping):
        raise place.wrong(f"must hold keys and values, not {mapping!r}")
    for key in mapping:
        if not isinstance(key, str) or (known and key not in known):
            raise place.below(mapping, key).wrong("there is no such key", hint=f"there is: {', '.join(known)}")
    return list(mapping.items())


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


_TEXT = ("one line of text", _is_text)
_MAPPING = ("keys and values", lambda value: isinstance(value, Mapping))
_WANTED: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "hostname": _TEXT,
    "username": _TEXT,
    "password": ("text", lambda value: isinstance(value, str)),
    "platform": _TEXT,
    "port": ("a whole number from 1 to 65535", _is_port),
    "data": _MAPPING,
    "extras": _MAPPING,
}

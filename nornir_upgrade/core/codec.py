"""dataclass <-> JSON, strict: unknown fields, missing fields and other types are refused, and say where.

A step is told from another by its `kind`. msgspec does the work; this module adds the kinds and refuses what msgspec
would let pass (unknown fields of dataclasses).
"""

from typing import Any, TypeVar

import msgspec

from .errors import InvalidInput
from .step import REGISTRY, Step

T = TypeVar("T")


def to_builtins(value: object) -> Any:
    """Dataclasses, tuples and the like as what JSON knows."""
    return msgspec.to_builtins(value, order="deterministic")


def dumps(value: object, *, indent: int = 0) -> str:
    """JSON text of `value`, the same text for the same value. Raises `InvalidInput` where a name in it is no UTF-8."""
    try:
        text = msgspec.json.encode(to_builtins(value), order="deterministic")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{error.object!r} is no UTF-8, and cannot be written down", hint="rename it first"
        ) from None
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def loads(text: str | bytes, kind: type[T], *, source: str = "JSON") -> T:
    """The `kind` that `text` stands for. Raises `InvalidInput` naming `source` and the place in it."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{source}: not JSON: {error}") from None
    except RecursionError:
        raise InvalidInput(f"{source}: nested too deep") from None
    return from_builtins(value, kind, source=source)


def from_builtins(value: Any, kind: type[T], *, source: str = "JSON") -> T:
    """As `loads`, from what JSON knows."""
    try:
        decoded = msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{source}: {error}", hint="it may come from another version of this program") from None
    # Strictness by round trip: whatever was in the text and is not in the value was an unknown field.
    if unknown := _extra(value, to_builtins(decoded)):
        raise InvalidInput(
            f"{source}: unknown field {unknown}", hint="it may come from another version of this program"
        )
    return decoded


def _decode(kind: type, value: Any) -> Any:
    if kind is not Step:
        raise TypeError(f"no JSON form for {kind}")
    name = value.get("kind") if isinstance(value, dict) else None
    if name not in REGISTRY:
        raise ValueError(f"unknown kind of step {name!r}; known: {', '.join(sorted(REGISTRY))}")
    return msgspec.convert(value, REGISTRY[name], dec_hook=_decode)


def _extra(given: Any, understood: Any, path: str = "") -> str:
    """The path of the first key in `given` that `understood` lacks; empty when there is none."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for key, value in given.items():
            if key not in understood:
                return f"{path}.{key}"
            if found := _extra(value, understood[key], f"{path}.{key}"):
                return found
    elif isinstance(given, list) and isinstance(understood, list | tuple):
        for number, (one, other) in enumerate(zip(given, understood, strict=False)):
            if found := _extra(one, other, f"{path}[{number}]"):
                return found
    return ""

"""Codec: dataclass <-> JSON, strict. Unknown fields, missing fields and wrong types are refused, with their place.

msgspec does the work. This module finds the class of a step by its `kind`, and refuses unknown fields, which msgspec ignores
in dataclasses.
"""

from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from .errors import InvalidInput
from .step import REGISTRY, Step

T = TypeVar("T")


def to_builtins(value: object) -> Any:
    """`value` as the types of JSON: dict, list, str, int, float, bool, None."""
    return msgspec.to_builtins(value, order="deterministic")


def dumps(value: object, *, indent: int = 0) -> str:
    """JSON text of `value`. Equal values give equal text. Raises `InvalidInput` if a name in it is not UTF-8."""
    try:
        text = msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{error.object!r} is not UTF-8, and JSON cannot hold it", hint="rename it first") from None
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def loads(text: str | bytes, kind: type[T], *, source: str = "JSON") -> T:
    """The value of type `kind` that `text` encodes. Raises `InvalidInput` naming `source` and the place in it."""
    # Fast path, for text that `dumps` wrote, maybe of a thousand hosts: if the value encodes to the same text, no field was unknown.
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        decoded = msgspec.json.decode(text, type=kind, dec_hook=_decode)
        if msgspec.json.encode(decoded, order="sorted") == (text.encode() if isinstance(text, str) else text):
            return decoded
    return from_builtins(skim(text, object, source=source), kind, source=source)


def skim(text: str | bytes, kind: type[T], *, source: str = "JSON") -> T:
    """As `loads`, but ignores fields that `kind` lacks, and so is many times as fast. For text known to be whole; decodes no steps."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise _misfit(source, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{source}: not JSON: {error}") from None
    except RecursionError:
        raise InvalidInput(f"{source}: nested too deep") from None


def from_builtins(value: Any, kind: type[T], *, source: str = "JSON") -> T:
    """As `loads`, from the types of JSON."""
    try:
        decoded = msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _misfit(source, error) from None
    # Strictness by round trip: a field that is in the text, but not in the value, was unknown.
    if unknown := _extra(value, to_builtins(decoded)):
        raise _misfit(source, f"unknown field {unknown}")
    return decoded


def _misfit(source: str, reason: object) -> InvalidInput:
    return InvalidInput(f"{source}: {reason}", hint="it may come from another version of this program")


def _decode(kind: type, value: Any) -> Any:
    if kind is not Step:
        raise TypeError(f"no JSON form for {kind}")
    name = value.get("kind") if isinstance(value, dict) else None
    if name not in REGISTRY:
        raise ValueError(f"unknown kind of step {name!r}; known: {', '.join(sorted(REGISTRY))}")
    return msgspec.convert(value, REGISTRY[name], dec_hook=_decode)


def _extra(given: Any, understood: Any, path: str = "") -> str:
    """The path of the first key in `given` that `understood` lacks; '' if there is none."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for key, value in given.items():
            if key not in understood:
                return f"{path}.{key}"
            if unknown := _extra(value, understood[key], f"{path}.{key}"):
                return unknown
    elif isinstance(given, list) and isinstance(understood, list | tuple):
        for number, (item, understood_item) in enumerate(zip(given, understood, strict=False)):
            if unknown := _extra(item, understood_item, f"{path}[{number}]"):
                return unknown
    return ""

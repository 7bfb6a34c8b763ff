"""dataclass <-> JSON, strict: unknown fields, missing fields and other types are refused, and say where.

A step is told from another by its `kind`. msgspec does the work; this module adds the kinds and refuses what msgspec
would let pass (unknown fields of dataclasses).
"""

from contextlib import suppress
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
        text = msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{error.object!r} is no UTF-8, and cannot be written down", hint="rename it first"
        ) from None
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def loads(text: str | bytes, kind: type[T], *, source: str = "JSON") -> T:
    """The `kind` that `text` stands for. Raises `InvalidInput` naming `source` and the place in it."""
    # Text that `dumps` wrote, which is most, and may be of a thousand hosts: where the value makes the same again, all was understood.
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        decoded = msgspec.json.decode(text, type=kind, dec_hook=_decode)
        if msgspec.json.encode(decoded, order="sorted") == (text.encode() if isinstance(text, str) else text):
            return decoded
    return from_builtins(skim(text, object, source=source), kind, source=source)


def skim(text: str | bytes, kind: type[T], *, source: str = "JSON") -> T:
    """As `loads`, but what `kind` does not name is passed over, which is many times as fast: for text that is known to be whole.

    Knows no steps.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise _misfit(source, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{source}: not JSON: {error}") from None
    except RecursionError:
        raise InvalidInput(f"{source}: nested too deep") from None


def from_builtins(value: Any, kind: type[T], *, source: str = "JSON") -> T:
    """As `loads`, from what JSON knows."""
    try:
        decoded = msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _misfit(source, error) from None
    # Strictness by round trip: whatever was in the text and is not in the value was an unknown field.
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

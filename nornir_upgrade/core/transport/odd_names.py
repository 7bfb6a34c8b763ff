"""Odd names: names that are not UTF-8. Journal, snapshots and plans hold only text: they can show such a name, but not use it."""

import re
from dataclasses import replace

from .host import FileState

_ODD = re.compile(r"[\ud800-\udfff]|\\udc[89a-f][0-9a-f]")


def written_out(text: str) -> str:
    """`text` in UTF-8, with each byte that is not UTF-8 written as an escape such as `\\udce9`."""
    return text.encode("utf-8", "backslashreplace").decode()


def odd(text: str) -> bool:
    """Whether `text` holds a byte that is not UTF-8, or the escape of one."""
    return bool(_ODD.search(text))


def is_odd(state: FileState) -> bool:
    """Whether a path cannot be restored from text: its name, its link target or the name of an attribute is not UTF-8."""
    return odd(state.path) or odd(state.target) or any(odd(name) for name, _ in state.xattrs)


def shown(state: FileState) -> FileState:
    """`state` as text: bytes that are not UTF-8 are written as escapes."""
    if not is_odd(state):
        return state
    attributes = tuple((written_out(name), value) for name, value in state.xattrs)
    return replace(state, path=written_out(state.path), target=written_out(state.target), xattrs=attributes)

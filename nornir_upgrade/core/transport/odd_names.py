"""Names that are no UTF-8: journal, snapshots and plans hold text alone, so that such a name can be shown there and never used."""

import re
from dataclasses import replace

from .host import FileState

_ODD = re.compile(r"[\ud800-\udfff]|\\udc[89a-f][0-9a-f]")


def written_out(text: str) -> str:
    """`text` in UTF-8: each byte that is none is written out, as `\\udce9`."""
    return text.encode("utf-8", "backslashreplace").decode()


def odd(text: str) -> bool:
    """Whether `text` holds a byte that is no UTF-8, or one that was written out."""
    return bool(_ODD.search(text))


def is_odd(state: FileState) -> bool:
    """Whether what stands there cannot be made again from what was written down: its name, or where it leads, is no UTF-8."""
    return odd(state.path) or odd(state.target) or any(odd(name) for name, _ in state.xattrs)


def shown(state: FileState) -> FileState:
    """`state`, fit to be written down."""
    if not is_odd(state):
        return state
    attributes = tuple((written_out(name), value) for name, value in state.xattrs)
    return replace(state, path=written_out(state.path), target=written_out(state.target), xattrs=attributes)

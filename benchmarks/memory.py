"""How much memory a process and its children hold at most, looked at again and again."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PERIOD = 0.02  # seconds
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Peak:
    """Within the block, this process and all below it are watched; `megabytes` is the most that they held at one moment.

    Resident memory, what several share counted for each of them.
    """

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            held = sum(map(_resident, _tree(os.getpid())))
            self.megabytes = max(self.megabytes, held * _PAGE / 1e6)
            if self._over.wait(_PERIOD):
                return


def _tree(process: int) -> Iterator[int]:
    yield process
    with suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _tree(int(child))


def _resident(process: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return 0

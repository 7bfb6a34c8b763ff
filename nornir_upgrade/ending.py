"""Ending: how a program ends that has nothing left to do."""

import os
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn


def working() -> Iterable[threading.Thread]:
    """The threads that Python would wait for before it ends."""
    return (one for one in threading.enumerate() if not one.daemon and one is not threading.main_thread())


def end(code: int) -> NoReturn:
    """Afterwards all that was said is written out, as far as it can be, and the process is over, its threads as well.

    Python would first take its modules and the connections to a whole fleet apart, one by one.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)

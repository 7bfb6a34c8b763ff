"""Modules that are imported when something of theirs is first used: for what a library imports and hardly ever needs."""

import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any


def defer(name: str) -> None:
    """From now on `import name` costs nothing, until an attribute of the module is asked for; none that is there changes."""
    sys.modules.setdefault(name, _Later(name))


class _Later(ModuleType):
    """Stands for a module. importlib's own LazyLoader is not safe between threads before Python 3.12."""

    _lock = threading.RLock()

    def __getattr__(self, attribute: str) -> Any:
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(import_module(self.__name__), attribute)

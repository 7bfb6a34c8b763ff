"""Modules that are imported when something of theirs is first used: for what a library imports and hardly ever needs."""

import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def defer(name: str, **known: object) -> None:
    """From now on `import name` costs nothing, until an attribute of the module is asked for; none that is there changes.

    A package's modules can be imported without it: they find what is `known` of it, and each other.
    """
    if name not in sys.modules:
        sys.modules[name] = later = _Later(name, known)
        package, _, module = name.rpartition(".")
        if package:
            setattr(import_module(package), module, later)  # as an import does


class _Later(ModuleType):
    """Stands for a module. importlib's own LazyLoader is not safe between threads before Python 3.12."""

    _lock = threading.RLock()

    def __init__(self, name: str, known: dict[str, object]) -> None:
        super().__init__(name)
        vars(self).update(known)
        if (spec := find_spec(name)) and spec.submodule_search_locations is not None:
            self.__path__ = spec.submodule_search_locations

    def __getattr__(self, attribute: str) -> Any:
        if "__path__" in vars(self) and find_spec(f"{self.__name__}.{attribute}"):
            raise AttributeError(attribute)  # a module of the package: whoever wants it imports it
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(import_module(self.__name__), attribute)

"""Lazy imports: a module is imported when one of its attributes is first used. For modules that libraries import and hardly use."""

import re
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


def defer(name: str, **known: object) -> None:
    """From now on `import name` imports nothing until an attribute is used. A module that is imported already is not changed.

    Modules of a deferred package can be imported without the package itself. `known`: attributes that are available at once.
    """
    if name not in sys.modules:
        sys.modules[name] = later = _Later(name, known)
        package, _, module = name.rpartition(".")
        if package:
            setattr(import_module(package), module, later)  # as an import does


class _Later(ModuleType):
    """A placeholder for a module. The LazyLoader of importlib is not thread-safe before Python 3.12."""

    _lock = threading.RLock()

    def __init__(self, name: str, known: dict[str, object]) -> None:
        super().__init__(name)
        vars(self).update(known)
        if (spec := find_spec(name)) and spec.submodule_search_locations is not None:
            self.__path__ = spec.submodule_search_locations

    def __getattr__(self, attribute: str) -> Any:
        if "__path__" in vars(self) and find_spec(f"{self.__name__}.{attribute}"):
            raise AttributeError(attribute)  # a module of the package: the importer imports it
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(import_module(self.__name__), attribute)


def version(name: str) -> str:
    """The version of a distribution, as `importlib.metadata.version` returns it, but without importing the parser of its metadata.

    The folder's name holds the version ("Recording installed projects", Python packaging specifications).
    Raises `importlib.metadata.PackageNotFoundError`.
    """
    folder = re.sub(r"[-_.]+", "_", name).lower()
    for place in sys.path:
        for found in Path(place).glob(f"{folder}-*.dist-info"):
            return found.stem.partition("-")[2]
    from importlib.metadata import distribution

    return distribution(name).version

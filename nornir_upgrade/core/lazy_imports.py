"""Modules that are imported when something of theirs is first used: for what a library imports and hardly ever needs."""

import re
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
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


def version(name: str) -> str:
    """As `importlib.metadata.version`, which parses a distribution's whole description for this one word, and imports what parses
    mails for that. The name of the folder tells it: "Recording installed projects" in the Python packaging specifications.

    Raises `importlib.metadata.PackageNotFoundError`.
    """
    folder = re.sub(r"[-_.]+", "_", name).lower()
    for place in sys.path:
        for found in Path(place).glob(f"{folder}-*.dist-info"):
            return found.stem.partition("-")[2]
    from importlib.metadata import distribution

    return distribution(name).version

"""Vocabulary: importing this makes every kind of step known, so that plans and journals can be read."""

import importlib
import pkgutil

from . import gates as gates
from . import steps

for _module in pkgutil.iter_modules(steps.__path__):
    importlib.import_module(f"{steps.__name__}.{_module.name}")

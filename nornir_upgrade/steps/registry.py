"""Registry: importing this makes every kind of step and gate known, so that plans and journals can be read."""

import importlib
import pkgutil

from nornir_upgrade import steps

for _module in pkgutil.iter_modules(steps.__path__):
    importlib.import_module(f"{steps.__name__}.{_module.name}")

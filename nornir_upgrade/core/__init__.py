from .distributions import version
from .lazy_imports import defer

# nornir and paramiko ask for their own versions whenever they are imported, and for nothing else of it.
defer("importlib.metadata", version=version)

from .deferred import defer
from .distributions import version

# nornir and paramiko ask for their own versions whenever they are imported, and for nothing else of it.
defer("importlib.metadata", version=version)

"""core: hosts, and steps on them that are journalled and can be undone.

The kernel is here: `step`, `plan`, `run`, `journal`, `engine`, `store`. The rooms below the kernel reach hosts and read them.
In: a plan, and a fleet to carry it out on. Out: a run, which is a fold of the journal's events.
Every other room imports it; it imports none of them.
"""

from .lazy_imports import defer, version

# nornir and paramiko ask for their own versions whenever they are imported, and for nothing else of it.
defer("importlib.metadata", version=version)

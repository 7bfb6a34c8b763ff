"""core: hosts, and steps on them that are journalled and can be undone.

The kernel is here. Read `step`, `plan`, `run`, `journal`, `engine`, `store` in this order.
`errors` holds every exception with its exit code. The rooms of `core` reach hosts and read them.
In: a plan, and the fleet to carry it out on. Out: a run: the plan and the events of its execution.
Every other room imports `core`; it imports none of them.
"""

from .lazy_imports import defer, version

# nornir and paramiko ask it for their own versions when they are imported, and use nothing else of it.
defer("importlib.metadata", version=version)

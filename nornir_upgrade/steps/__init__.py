"""steps: the things that can be made true on a host, and the gates between them.

In: what should be true. Out: the same step for what was true before, which is its way back.
A step is a frozen dataclass with `observe` and `apply`; `registry` makes all kinds known by their names in JSON.
Planners build steps, the engine carries them out, reports describe them.
"""

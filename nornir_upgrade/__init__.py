"""The way forward: a fleet is upgraded step by step, and its way back is proven before the first change.

In: a scenario or a saved plan, an inventory, the hosts. Out: upgraded hosts, a journal, a store of what was true before.
The rooms, from the top: cli, prepare, runner, report and preflight, planner, scenario, console, config and steps, core.
An import goes down, never up. `rollback` imports these rooms; none of them imports `rollback`.
"""

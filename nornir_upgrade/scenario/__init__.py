"""scenario: an upgrade as data.

In: YAML. Out: a `Scenario`, or a refusal that names file, line and key.
`planner`, `preflight` and `prepare` import it.
"""

"""scenario: an upgrade as data.

In: YAML. Out: a `Scenario`, or a refusal that names file, line and key.
`parser` reads every key but those of `repositories`, which has a module of its own. `text` describes a scenario in words.
`planner`, `preflight` and `prepare` import it.
"""

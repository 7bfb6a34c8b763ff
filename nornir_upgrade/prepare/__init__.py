"""prepare: from a scenario to a plan that may run. Reads only.

In: a session, a scenario or a saved plan. Out: plan, findings, proof of the way back, rehearsal on throw-away layers.
`gather` asks the hosts; `prepare` plans a scenario, `saved_plan` examines a saved plan, and `check` lists the findings of both.
`reversibility` makes the proof of the way back: it asks the hosts, and `planner.reversibility` judges the answers.
`rehearse` tries the packages on a throw-away layer.
The command lines import it.
"""

"""prepare: from a scenario to a plan that may run. Reads only.

In: a session, a scenario or a saved plan. Out: plan, findings, proof of the way back, rehearsal on throw-away layers.
`gather` asks the hosts; `prepare` plans a scenario, `saved_plan` examines a saved plan, and `check` lists the findings of both.
`reversibility` proves the way back, and `rehearse` tries the packages.
The command lines import it.
"""

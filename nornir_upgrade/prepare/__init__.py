"""prepare: from a scenario to a plan that may run. Reads only.

In: a session, a scenario or a saved plan. Out: plan, findings, proof of the way back, rehearsal on throw-away layers.
`gather` asks the hosts, `prepare` plans, `check` judges, `reversibility` and `rehearse` prove.
The command lines import it.
"""

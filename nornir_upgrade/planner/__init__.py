"""planner: from a scenario and facts to a plan. Pure.

In: scenario, inventory, facts, what each package manager would do. Out: a `Plan`, and what the proof of its way back asks.
`upgrade` puts the waves together; `reversibility` judges whether there is a way back.
`prepare` imports it, and `report` to show plans.
"""

"""preflight: what stands in the way of a plan. Pure.

In: facts, probes, planned changes, failures. Out: findings, each with a stable key and a remedy.
`prepare` imports it.
"""

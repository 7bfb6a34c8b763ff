"""solver: which old version of each package is chosen. Pure.

In: facts then and now, a catalog, preferences. Out: a manifest in which every package is accounted for.
`nearest` decides which version: by `exact` where every old version can be had, else by clauses (`problem`, `encoding`), an order of
preferences (`preferences`) and MaxSAT (`maxsat`).
`assess`, `offline` and `release` import it.
"""

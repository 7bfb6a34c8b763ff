"""solver: which old version of each package is chosen. Pure.

In: facts then and now, a catalog, preferences. Out: a manifest in which every package is accounted for.
`nearest` chooses the versions: by `exact` if every old version is available, else by clauses (`problem`, `encoding`),
`preferences` and MaxSAT (`maxsat`).
`assess`, `offline` and `release` import it.
"""

"""solver: which old version of each package is chosen. Pure.

In: facts then and now, a catalog, preferences. Out: a manifest in which every package is accounted for.
`exact` decides where every old version can be had; `nearest` where one cannot, by clauses and MaxSAT.
`assess`, `offline` and `release` import it.
"""

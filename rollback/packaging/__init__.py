"""packaging: packages as things to choose from, for each format. Pure.

In: indexes, status files, listings. Out: candidates, and what these demand of each other as clauses.
`registry` returns the `FormatJudgement` of a format; `deb` and `rpm` know nothing of each other.
`catalog`, `solver` and `offline` import it.
"""

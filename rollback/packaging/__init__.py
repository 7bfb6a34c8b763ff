"""packaging: packages as things to choose from, for each format. Pure.

In: indexes, status files, listings. Out: candidates, and what these demand of each other as clauses.
`registry` returns the judgement of a format (`deb`, `rpm`) and of a manager (apt in `deb`, dnf 4 in `dnf`).
`catalog`, `solver`, `offline`, `manifest` and `plan` import it.
"""

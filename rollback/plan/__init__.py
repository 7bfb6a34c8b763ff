"""plan: the way back of a fleet as a plan. Pure.

In: manifests, the journal, facts then and now. Out: a `Plan` with direction `rollback`, and what will be true after it.
`undo_log` reads from the journal what runs changed; `scope` decides what a partial way back restores.
`assess`, `apply` and `verify` import it.
"""

"""foreign: what somebody else changed on a host since a snapshot. Pure.

In: facts then and now, runs. Out: foreign packages and files, and what becomes of them: they stay, go, or are refused.
`assess`, `plan`, `solver` and `verify` import it.
"""

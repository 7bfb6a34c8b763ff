"""foreign: what others changed on a host since a snapshot. Pure.

In: facts then and now, runs. Out: foreign packages and files, and what happens to them: they are kept, removed or refused.
`assess`, `plan`, `solver` and `verify` import it.
"""

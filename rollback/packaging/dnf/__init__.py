"""dnf: how a host with dnf 4 is asked what it could have, and the way back in dnf's words.

In: a boundary, packages that move. Out: a fixed script, the settings that protect packages, commands for a person.
Its format is `rpm`, which knows nothing of it. `registry` resolves `judgement.DNF4` by its name.
"""

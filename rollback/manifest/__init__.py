"""manifest: what must happen to each package of a host. Pure, save for its files.

In: changes that were decided. Out: a document, lines `name=version`, one command, a transaction of the package manager.
`deviations` and `model` refuse what cannot be obtained (exit 21) or solved (exit 20).
`solver` fills it; `plan`, `apply` and the command line read it.
"""

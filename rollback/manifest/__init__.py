"""manifest: what must happen to each package of a host. Pure, save for its files.

In: changes that were decided. Out: a document, lines `name=version`, one command, a transaction of the package manager.
`solver` fills it; `plan`, `apply` and the command line read it.
"""

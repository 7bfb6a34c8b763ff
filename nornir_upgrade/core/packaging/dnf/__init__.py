"""dnf: the package manager dnf 4, above `rpm`.

In: wants, and what dnf prints. Out: argument vectors, fixed scripts, parsed transactions, and how one is parted.
Nothing here knows of deb. `dnf4` builds the command of a transaction; `family` wraps it as a job.
`registry` imports it, and `rollback.packaging.dnf` for commands.
"""

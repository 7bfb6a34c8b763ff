"""dnf: the package manager dnf 4, above `rpm`.

In: wants, and what dnf prints. Out: argument vectors, fixed scripts, parsed transactions, and how one is parted.
Nothing here knows of deb. Only the seam modules of `packaging` import it.
"""

"""deb: what Debian's indexes, status files and listings say, and what its packages demand as clauses.

In: text of dpkg and apt. Out: candidates, listings, clauses.
The seams of `packaging`, `catalog` and `solver` import it.
"""

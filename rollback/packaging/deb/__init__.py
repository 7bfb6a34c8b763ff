"""deb: parsers of Debian's indexes, status files and listings, and the demands of its packages as clauses.

In: text of dpkg and apt. Out: candidates, listings, clauses.
The seams of `packaging`, `catalog` and `solver` import it.
"""

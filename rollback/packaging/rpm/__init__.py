"""rpm: what rpm-md's indexes, rpm's headers and listings say, and what its packages demand as clauses.

In: XML, headers, text of rpm and dnf. Out: candidates, listings, clauses.
The seams of `packaging`, `catalog` and `solver` import it.
"""

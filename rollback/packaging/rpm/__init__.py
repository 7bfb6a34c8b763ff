"""rpm: parsers of rpm-md's indexes, rpm's headers and listings, and the demands of its packages as clauses.

In: XML, headers, text of rpm and dnf. Out: candidates, listings, clauses.
The seams of `packaging`, `catalog` and `solver` import it.
"""

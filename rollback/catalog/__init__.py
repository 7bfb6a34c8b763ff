"""catalog: the versions of packages that are available to a host.

In: hosts, and repository indexes by digest. Out: a `Catalog` of candidates a host; escrow counts as a source.
`assess` and `release` import it.
"""

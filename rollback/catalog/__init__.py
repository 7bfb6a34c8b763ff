"""catalog: which versions of which packages a host could have.

In: hosts, and repository indexes by digest. Out: a `Catalog` of candidates a host; escrow counts as a source.
`assess` and `release` import it.
"""

"""deb: parsers of Debian's indexes, status files and listings, and the demands of its packages as clauses.

In: text of dpkg and apt. Out: candidates, listings, clauses, commands for a person.
`index` parses `Packages`, `status` what dpkg reports, `apt_policy`, `madison` and `dpkg_lists` parse listings.
`registry` resolves `judgement.DEB` and `judgement.APT` by name.
"""

"""rpm: parsers of rpm-md's indexes, rpm's headers and listings, and the demands of its packages as clauses.

In: XML, headers, text of rpm and dnf. Out: candidates, listings, clauses.
`index` parses a repository, `header` a package file, `status` what rpm reports, `rpm_lists` and `dnf_list` parse listings.
`registry` resolves `judgement.RPM` by name.
"""

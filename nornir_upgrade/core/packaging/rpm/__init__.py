"""rpm: the package format and the database of installed packages.

In: what rpm prints, and fields of packages. Out: packages, their dependencies, transactions that keep a host usable.
`query` and `versionlock` read what dnf adds to that: reasons and locks.
Nothing here knows of deb. `dnf` imports it, and `rollback.packaging.rpm`.
"""

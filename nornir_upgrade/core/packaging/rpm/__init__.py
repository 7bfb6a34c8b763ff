"""rpm: the package format and the database of installed packages.

In: what rpm prints, and fields of packages. Out: packages, their dependencies, transactions that keep a host usable.
Nothing here knows of deb or of a manager. `dnf` imports it, and `rollback.packaging.rpm`.
"""

"""deb: Debian's package format, dpkg and apt.

In: wants, and what dpkg and apt print. Out: argument vectors, fixed scripts, parsed packages, an order of unpacking.
Nothing here knows of rpm. The seam modules of `packaging` import it, and `rollback.packaging.deb` for versions and relations.
"""

"""deb: Debian's package format, dpkg and apt.

In: wants, and what dpkg and apt print. Out: argument vectors, fixed scripts, parsed packages, an order of unpacking.
`apt` builds the command of a transaction and parses what apt prints; `family` wraps it as a job; `suites` edits source files.
Nothing here knows of rpm. `registry` imports it, and `rollback.packaging.deb` for versions, relations and commands.
"""

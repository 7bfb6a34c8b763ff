"""inventory: the hosts of a fleet, and the selection of some of them.

In: Nornir's configuration and inventory files, a limit. Out: a `NornirFleet` that runs work on its hosts concurrently.
`fleet` is the only module that imports nornir.
Sessions of the command lines import it, and the planners for `cloud`.
"""

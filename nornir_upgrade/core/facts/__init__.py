"""facts: what is true of a host.

In: a host. Out: `HostFacts` (packages, files, services, state) in one round trip, and a `Probe` of what the preflight asks besides.
`compare` tells two sets of facts of one host apart. Nothing here changes a host.
Rooms above `core` import it; in `core` nobody does.
"""

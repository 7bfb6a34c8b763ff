"""The way back of a fleet to a snapshot, exactly or to the provably nearest state.

In: snapshots, the journal, the store, repositories, hosts as they are now. Out: a manifest a host, a plan, a verification.
The rooms, from the top: cli, apply and release, assess and verify, plan and solver, foreign, catalog and manifest, packaging.
It imports `nornir_upgrade` (core, steps, runner, console, and its command line rehearsal and report).
Nothing there imports it.
"""

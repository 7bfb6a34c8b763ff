"""escrow: package files that are kept for the way back, at the controller or on hosts.

In: names of package files, and hosts that may have them. Out: files in the store, under the digest that was checked.
`collect` brings files in, `share` decides where they stay, `deliver` puts them on a host for one transaction.
Rooms above `core` import it; in `core` nobody does.
"""

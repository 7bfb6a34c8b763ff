"""offline: the judgement without a machine.

In: text files that a machine or a mirror gave. Out: a manifest to a release, or to an older list.
The command line imports it, and `release` for a release of the hosts themselves.
"""

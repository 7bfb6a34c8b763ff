"""offline: the way back of a machine that cannot be reached, computed from files.

In: text files of a machine or a mirror. Out: a manifest to a release, or to an older list.
The command line imports it, and `release` for a release of the hosts themselves.
"""

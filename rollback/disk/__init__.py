"""disk: comparison of the whole disks of a fleet.

In: pictures of every path, taken with snapshots. Out: the differences that no rule explains.
The command line imports it.
"""

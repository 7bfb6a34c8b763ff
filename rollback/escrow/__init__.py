"""escrow: the files that are kept for a way back, checked and pruned as a whole.

In: escrow, store and journal. Out: damaged files, files that are no longer needed, and both as text.
The command line imports it.
"""

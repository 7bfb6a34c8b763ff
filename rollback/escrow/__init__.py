"""escrow: the files that are kept for a way back, checked and pruned as a whole.

In: escrow, store and journal. Out: what is damaged, what is no longer needed, and both as text.
The command line imports it.
"""

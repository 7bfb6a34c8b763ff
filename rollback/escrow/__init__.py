"""escrow: what is kept for a way back, looked at as a whole.

In: escrow, store and journal. Out: what is damaged, what is referenced no more, and both as text.
The command line imports it.
"""

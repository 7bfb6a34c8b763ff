"""console: what both command lines share between a person and the program.

In: flags, signals, results of verbs. Out: text, tables, progress, JSON documents, exit codes.
`exit_codes` holds the one switch from exceptions to exit codes.
Both command lines import it, and the rooms that report while they work: `prepare`, `runner`, `report`.
"""

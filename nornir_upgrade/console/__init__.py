"""console: flags, output and exit codes of both command lines.

In: flags, signals, results of verbs. Out: text, tables, progress, JSON documents, exit codes.
`exit_codes` holds the one switch from exceptions to exit codes.
Both command lines import it, and the rooms that report while they work: `prepare`, `runner`, `report`.
"""

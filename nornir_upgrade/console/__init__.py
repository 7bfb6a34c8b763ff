"""console: flags, output and exit codes of both command lines.

In: flags, signals, results of verbs. Out: text, tables, progress, JSON documents, exit codes.
`core.errors` gives each exception its exit code; `exit_codes` is the one switch that returns it, and lists them all.
Both command lines import it, and the rooms that report while they work: `prepare`, `runner`, `report`.
"""

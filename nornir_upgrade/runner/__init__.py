"""runner: a run is opened, executed and ended.

In: a plan, and a session (fleet, journal and store). Out: a run in the journal.
`session` opens fleet and journal, `keep` stores old package files in escrow, and `execute` executes the run.
`resume_check` checks hosts and kept data before a run continues.
Both command lines import it.
"""

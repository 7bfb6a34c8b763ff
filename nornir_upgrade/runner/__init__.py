"""runner: a run is opened, carried out and ended.

In: a plan, and a session (fleet, journal and store in one hand). Out: a run in the journal.
`session` opens, `keep` brings old package files into escrow, `execute` carries out, `resume_check` looks before a run continues.
Both command lines import it.
"""

"""report: a plan or a run as people read it. Pure.

In: plans, runs, facts. Out: text, tables, one HTML page.
`runner` and the command lines import it.
"""

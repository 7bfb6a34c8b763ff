"""report: a plan or a run in the form for people. Pure.

In: plans, runs, facts. Out: text, tables, one HTML page.
`runner` and the command lines import it.
"""

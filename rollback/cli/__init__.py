"""cli: the command line `rollback`. One verb a function.

In: argv. Out: an exit code, a result on stdout, everything else on stderr.
`apply` assesses, plans, announces and asks; then `rollback.apply` carries out.
`compute` picks one of three ways: to a snapshot (`snapshot`), to a release (`release`), from text files (`offline`).
Nobody imports this room; the entry points of the package start it.
"""

from .main import main as main

"""cli: the command line `rollback`. One verb a function.

In: argv. Out: an exit code, a result on stdout, everything else on stderr.
`compute` has three ways in: a snapshot (`compute`), a release of the hosts (`release`), text files (`offline`).
Nobody imports this room; the entry points of the package start it.
"""

from .main import main as main

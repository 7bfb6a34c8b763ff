"""cli: the command line `nornir-upgrade`. One verb a function.

In: argv. Out: an exit code, a result on stdout, everything else on stderr.
Verbs read their flags, call `prepare` and `runner`, and show what these return. Nothing is decided here.
Nobody imports this room; the entry point of the package starts it.
"""

from .main import main as main

"""cli: the command line `nornir-upgrade`. One verb a function.

In: argv. Out: an exit code, a result on stdout, everything else on stderr.
Verbs read their flags, call `prepare` and `runner`, and show the results. Nothing is decided here.
No room imports it. The entry point of the package starts it.
"""

from .main import main as main

"""ordinary: servers of the lab as administrators have them.

In: bases that were installed in full. Out: six set-up servers, and the inventory that names them.
The verbs of `lab` import it, and tests.
"""

"""lab: a fleet of real hosts on this machine, for demonstrations and tests.

In: a recipe. Out: hosts in network namespaces with real init, sshd, dpkg or rpm, databases and signed repositories.
`cloud` is what its stand-in cloud is made of; `deb`, `rpm` and `ordinary` are its fleets.
The verbs of `lab` import it, tests and benchmarks; no other room does.
"""

"""rpm: hosts of the lab that run a distribution with rpm and dnf 4.

In: releases of the stand-in cloud. Out: .rpm files, signed repositories, and which host has which package.
The verbs of `lab` import it, and tests.
"""

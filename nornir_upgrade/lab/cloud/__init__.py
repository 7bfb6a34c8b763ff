"""cloud: what the stand-in cloud of the lab is made of.

In: nothing; it is data and text. Out: projects, releases, files of packages, databases and their rows.
The fleets of the lab import it.
"""

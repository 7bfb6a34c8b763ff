"""packaging: package managers, as values.

In: packages that are wanted, and those that a host has. Out: commands, what their output says, and files that a host can give.
A host has a manager (apt, dnf 4); its format (deb, rpm) follows from that. `family` is the type of all that a manager
can do, and `registry` lists the managers: neutral code asks the value, never the name. `deb` is apt with dpkg, `dnf` is
dnf 4, and `rpm` the format and the database below it.
Steps, facts, escrow and the planners import the neutral modules; of these only `registry` imports the folders.
"""

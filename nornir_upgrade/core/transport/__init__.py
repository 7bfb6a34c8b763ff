"""transport: a host, and the connection to it.

In: an address and a login. Out: a `Host`: commands, files, jobs that outlive the connection.
`ssh` and `login` are the only modules that import netmiko and paramiko.
All rooms of `core` above it import `host`; the fake host of the tests satisfies the same protocol.
"""
